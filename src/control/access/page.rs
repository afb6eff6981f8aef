//! What a browser asks: the pages and their forms, but for those of the rows of the catalog. `[pure]`

use super::ADMIN;
use super::ApiRoute;
use super::OPERATOR;
use super::Operation;
use super::PUBLIC;
use super::VIEWER;
use super::route;

pub(super) const ROUTES: &[ApiRoute] = &[
    route(
        "GET",
        "/assets/style.css",
        PUBLIC,
        Operation::Style,
        "Style sheet",
    ),
    route(
        "GET",
        "/assets/live.js",
        PUBLIC,
        Operation::Script,
        "Script",
    ),
    route("GET", "/events", VIEWER, Operation::Events, "Events"),
    route("GET", "/login", PUBLIC, Operation::LoginPage, "Log in"),
    route("POST", "/login", PUBLIC, Operation::LoginForm, "Log in"),
    route("POST", "/logout", VIEWER, Operation::LogoutForm, "Log out"),
    route("GET", "/welcome", PUBLIC, Operation::Welcome, "Welcome"),
    route("GET", "/", VIEWER, Operation::Overview, "Overview"),
    route(
        "POST",
        "/hosts/{name}/test",
        OPERATOR,
        Operation::TestForm,
        "Test a host",
    ),
    route(
        "POST",
        "/host-keys/{name}/value",
        OPERATOR,
        Operation::ValueForm,
        "Store a new value",
    ),
    route(
        "POST",
        "/host-keys/{name}/reset",
        OPERATOR,
        Operation::ResetForm,
        "End its rest",
    ),
    route("GET", "/keys", VIEWER, Operation::KeysPage, "Relay keys"),
    route(
        "POST",
        "/keys",
        OPERATOR,
        Operation::KeyForm,
        "Make a relay key",
    ),
    route(
        "POST",
        "/keys/{name}/switch",
        OPERATOR,
        Operation::KeySwitchForm,
        "Disable or enable a relay key",
    ),
    route(
        "GET",
        "/keys/{name}",
        OPERATOR,
        Operation::KeyPage,
        "Relay key",
    ),
    route(
        "POST",
        "/keys/{name}",
        OPERATOR,
        Operation::KeyChangeForm,
        "Change a relay key",
    ),
    route(
        "POST",
        "/keys/{name}/rotate",
        OPERATOR,
        Operation::KeyRotateForm,
        "Give a relay key a new text",
    ),
    route(
        "GET",
        "/keys/{name}/delete",
        OPERATOR,
        Operation::KeyDeletePage,
        "Delete a relay key",
    ),
    route(
        "POST",
        "/keys/{name}/delete",
        OPERATOR,
        Operation::KeyDeleteForm,
        "Delete a relay key",
    ),
    route("GET", "/calls", VIEWER, Operation::CallsPage, "Calls"),
    route("GET", "/calls/{id}", VIEWER, Operation::CallPage, "Call"),
    route("GET", "/search", VIEWER, Operation::SearchPage, "Search"),
    route("GET", "/usage", VIEWER, Operation::UsagePage, "Usage"),
    route(
        "GET",
        "/budgets",
        VIEWER,
        Operation::BudgetsPage,
        "Budgets and limits",
    ),
    route("GET", "/route", VIEWER, Operation::RoutePage, "Route"),
    route("GET", "/people", ADMIN, Operation::PeoplePage, "Sessions"),
    route(
        "POST",
        "/people/{id}/end",
        ADMIN,
        Operation::EndForm,
        "End a session",
    ),
    route(
        "GET",
        "/sessions",
        ADMIN,
        Operation::Moved("/people"),
        "Sessions",
    ),
    route(
        "GET",
        "/settings",
        VIEWER,
        Operation::Moved("/about"),
        "Settings",
    ),
    route(
        "GET",
        "/relay-keys",
        VIEWER,
        Operation::Moved("/keys"),
        "Relay keys",
    ),
    route("GET", "/audit", VIEWER, Operation::AuditPage, "Audit"),
    route("GET", "/about", VIEWER, Operation::AboutPage, "Settings"),
    route("POST", "/about", ADMIN, Operation::SettingsForm, "Settings"),
    route(
        "POST",
        "/about/rekey",
        ADMIN,
        Operation::RekeyForm,
        "Settings",
    ),
];
