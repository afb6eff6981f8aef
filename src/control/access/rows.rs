//! The rows of the catalog: what there is to ask of each kind, for programs and on pages. `[pure]`

use super::ADMIN;
use super::Act;
use super::ApiRoute;
use super::OPERATOR;
use super::Operation;
use super::VIEWER;
use super::route;
use crate::catalog::Kind;

/// The routes of one kind, made of words that paths and summaries are put together from.
macro_rules! of_kind {
    ($kind:expr, $changer:expr, $word:literal, $name:literal, $title:literal, $many:literal, $one:literal) => {
        &[
            route(
                "GET",
                concat!("/api/v1/", $word),
                VIEWER,
                Operation::Row(Act::List, $kind),
                concat!("List the rows of kind ", $name),
            ),
            route(
                "GET",
                concat!("/api/v1/", $word, "/{name}"),
                VIEWER,
                Operation::Row(Act::Show, $kind),
                concat!("Show one ", $one),
            ),
            route(
                "PUT",
                concat!("/api/v1/", $word, "/{name}"),
                $changer,
                Operation::Row(Act::Put, $kind),
                concat!("Make or change one ", $one),
            ),
            route(
                "DELETE",
                concat!("/api/v1/", $word, "/{name}"),
                $changer,
                Operation::Row(Act::Delete, $kind),
                concat!("Remove one ", $one),
            ),
            route(
                "GET",
                concat!("/", $word),
                VIEWER,
                Operation::RowsPage($kind),
                $many,
            ),
            route(
                "GET",
                concat!("/", $word, "/-/new"),
                $changer,
                Operation::NewPage($kind),
                concat!("New ", $one),
            ),
            route(
                "POST",
                concat!("/", $word, "/-/new"),
                $changer,
                Operation::RowForm($kind),
                concat!("New ", $one),
            ),
            route(
                "GET",
                concat!("/", $word, "/{name}"),
                VIEWER,
                Operation::RowPage($kind),
                $title,
            ),
            route(
                "POST",
                concat!("/", $word, "/{name}"),
                $changer,
                Operation::RowForm($kind),
                concat!("Change a ", $one),
            ),
            route(
                "GET",
                concat!("/", $word, "/{name}/delete"),
                $changer,
                Operation::DeletePage($kind),
                concat!("Remove a ", $one),
            ),
            route(
                "POST",
                concat!("/", $word, "/{name}/delete"),
                $changer,
                Operation::DeleteForm($kind),
                concat!("Remove a ", $one),
            ),
        ]
    };
}

/// Of every kind, in the catalog's order.
pub(super) const ROUTES: [&[ApiRoute]; 6] = [
    of_kind!(
        Kind::Host,
        OPERATOR,
        "hosts",
        "Host",
        "Host",
        "Hosts",
        "host"
    ),
    of_kind!(
        Kind::HostKey,
        OPERATOR,
        "host-keys",
        "HostKey",
        "Host key",
        "Host keys",
        "host key"
    ),
    of_kind!(
        Kind::Model,
        OPERATOR,
        "models",
        "Model",
        "Model",
        "Models",
        "model"
    ),
    of_kind!(
        Kind::Binding,
        OPERATOR,
        "bindings",
        "Binding",
        "Binding",
        "Bindings",
        "binding"
    ),
    of_kind!(
        Kind::Policy,
        OPERATOR,
        "policies",
        "Policy",
        "Policy",
        "Policies",
        "policy"
    ),
    of_kind!(Kind::User, ADMIN, "users", "User", "User", "Users", "user"),
];
