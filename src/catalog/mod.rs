//! The catalog: which models there are, which lanes serve them, with which credentials, and who may have what.
//!
//! **What for.** Rows of six kinds ([`Kind`]) are declared in YAML files of one folder. [`Catalog`] reads them, makes a
//! [`Snapshot`] of them and puts it in force, anew with every change of the folder ([`watch()`]). A call takes the snapshot
//! once and finds in it, in one step each, the model by name or alias, its [`Binding`]s in their order, their [`Host`]s
//! with their keys, and the [`Policy`] of its relay key. [`diff`] and [`apply`] compare and change sets of rows, for the
//! commands and the control plane.
//!
//! **Never.** No call reads a file, waits for a reading, or sees two snapshots. No row holds a credential, only the place
//! of one. What a catalog says is not guessed: what is not understood is a [`Problem`] with its file, line and the nearest
//! known word.
//!
//! **Invariants.**
//! - One bad row spoils one row: it is out, and everything else serves. A grant that names what there is not grants
//!   nothing there.
//! - That holds while the relay runs as it does at its start: a change is taken up, whatever else is wrong in the folder,
//!   and a row that was good and is not any more is out. [`Snapshot::problems`] says which and why.
//! - What was written is read again before it counts as done ([`write()`]).
//! - The same rows are exported as the same bytes.
//! - Without a row there is nothing: [`Snapshot::is_configured`] is false, and the relay is what it is without a catalog.
//!
//! Start reading at [`snapshot`], then [`resolve()`], then [`handle`].

mod kind;
mod name;
mod problem;

mod address;
mod price;

mod node;

mod fields;

mod spec;

mod emit;

mod document;

mod kinds;
mod set;

mod change;
mod complaint;
mod dependents;

mod builtin;
mod snapshot;

mod resolve;

mod folder;

mod stamps;

mod handle;

mod watch;

#[cfg(test)]
mod laws;

pub(crate) use address::Network;
pub(crate) use address::judge;
pub(crate) use builtin::built_in;
pub(crate) use change::Change;
pub(crate) use change::ChangeSet;
pub(crate) use change::Changed;
pub(crate) use change::Prune;
pub(crate) use change::apply;
pub(crate) use change::diff;
pub(crate) use dependents::dependents;
pub(crate) use dependents::users_of_secret;
pub(crate) use document::Document;
pub(crate) use document::binding_name;
pub(crate) use folder::FolderReader;
pub(crate) use folder::WriteFault;
pub(crate) use folder::load;
pub(crate) use folder::write;
pub(crate) use handle::Catalog;
pub(crate) use handle::CatalogConfig;
pub(crate) use kind::Kind;
pub(crate) use kinds::PAGE as KINDS;
pub(crate) use kinds::section;
pub(crate) use name::LaneName;
pub(crate) use price::Currency;
pub(crate) use price::Nanos;
pub(crate) use price::Price;
pub(crate) use price::TokenCount;
pub(crate) use problem::Location;
pub(crate) use problem::Problem;
pub(crate) use problem::ProblemCode;
pub(crate) use problem::RowId;
pub(crate) use resolve::concerns_calls;
pub(crate) use resolve::nearest;
pub(crate) use resolve::resolve;
pub(crate) use set::DocumentSet;
pub(crate) use snapshot::Binding;
pub(crate) use snapshot::Host;
pub(crate) use snapshot::HostKey;
pub(crate) use snapshot::Model;
pub(crate) use snapshot::Policy;
pub(crate) use snapshot::Snapshot;
pub(crate) use snapshot::Target;
pub(crate) use snapshot::User;
pub(crate) use spec::Adapter;
pub(crate) use spec::BudgetSpec;
pub(crate) use spec::HostAuth;
pub(crate) use spec::HostSpec;
pub(crate) use spec::HttpVersion;
pub(crate) use spec::KeyChoice;
pub(crate) use spec::PasswordSource;
pub(crate) use spec::Period;
pub(crate) use spec::ProxyChoice;
pub(crate) use spec::RateLimits;
pub(crate) use spec::Share;
pub(crate) use spec::Spec;
pub(crate) use spec::UserRole;
pub(crate) use spec::UserSpec;
pub(crate) use watch::watch;
