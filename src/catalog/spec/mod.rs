//! What each kind of row says: read from fields, written as a tree. `[pure]`

mod binding;
mod host;
mod host_key;
mod model;
mod policy;
mod user;
mod writer;

pub(crate) use binding::Adapter;
pub(crate) use binding::BindingSpec;
pub(crate) use host::HostAuth;
pub(crate) use host::HostSpec;
pub(crate) use host::HttpVersion;
pub(crate) use host::KeyChoice;
pub(crate) use host::ProxyChoice;
pub(crate) use host_key::HostKeySpec;
pub(crate) use host_key::RateLimits;
pub(crate) use model::ModelSpec;
pub(crate) use policy::BudgetSpec;
pub(crate) use policy::Period;
pub(crate) use policy::PolicySpec;
pub(crate) use policy::Share;
pub(crate) use user::PasswordSource;
pub(crate) use user::UserRole;
pub(crate) use user::UserSpec;

use super::fields::Fields;
use super::kind::Kind;
use super::node::Entry;

/// What a row says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Spec {
    Host(HostSpec),
    HostKey(HostKeySpec),
    Model(ModelSpec),
    Binding(BindingSpec),
    Policy(PolicySpec),
    User(UserSpec),
}

impl Spec {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Spec::Host(_) => Kind::Host,
            Spec::HostKey(_) => Kind::HostKey,
            Spec::Model(_) => Kind::Model,
            Spec::Binding(_) => Kind::Binding,
            Spec::Policy(_) => Kind::Policy,
            Spec::User(_) => Kind::User,
        }
    }

    /// Reads a kind's fields; what is wrong has been said to their reading.
    pub(super) fn read(kind: Kind, fields: &Fields<'_>) -> Option<Spec> {
        match kind {
            Kind::Host => HostSpec::read(fields).map(Spec::Host),
            Kind::HostKey => HostKeySpec::read(fields).map(Spec::HostKey),
            Kind::Model => ModelSpec::read(fields).map(Spec::Model),
            Kind::Binding => BindingSpec::read(fields).map(Spec::Binding),
            Kind::Policy => PolicySpec::read(fields).map(Spec::Policy),
            Kind::User => UserSpec::read(fields).map(Spec::User),
        }
    }

    /// The fields that differ from their defaults, in the order that every export has.
    pub(super) fn write(&self) -> Vec<Entry> {
        match self {
            Spec::Host(spec) => spec.write(),
            Spec::HostKey(spec) => spec.write(),
            Spec::Model(spec) => spec.write(),
            Spec::Binding(spec) => spec.write(),
            Spec::Policy(spec) => spec.write(),
            Spec::User(spec) => spec.write(),
        }
    }
}
