//! The one table of routes: what there is to ask, and which role it needs. `[pure]`

use crate::catalog::Kind;
use crate::catalog::UserRole;

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    Public,
    /// Whoever has logged in, as this at least.
    UserRole(UserRole),
}

/// What is done with rows of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    List,
    Show,
    Put,
    Delete,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Version,
    Health,
    Ready,
    OpenApi,
    Style,
    Script,
    Events,
    Rekey,
    Login,
    Logout,
    Me,
    Row(Act, Kind),
    TestHost,
    SetValue,
    ResetKey,
    Breakers,
    ResetAll,
    Keys,
    MintKey,
    ChangeKey,
    RotateKey,
    DeleteKey,
    Usage,
    UsageSummary,
    UsageSeries,
    Route,
    Call,
    Audit,
    Sessions,
    EndSession,
    Lanes,
    Settings,
    Problems,
    Export,
    Diff,
    Apply,
    LoginPage,
    LoginForm,
    LogoutForm,
    Welcome,
    Overview,
    RowsPage(Kind),
    NewPage(Kind),
    RowPage(Kind),
    RowForm(Kind),
    DeletePage(Kind),
    DeleteForm(Kind),
    TestForm,
    ValueForm,
    ResetForm,
    KeysPage,
    KeyForm,
    KeySwitchForm,
    KeyDeletePage,
    KeyDeleteForm,
    CallsPage,
    CallPage,
    PeoplePage,
    EndForm,
    UsagePage,
    SearchPage,
    RekeyForm,
    RoutePage,
    AuditPage,
    AboutPage,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApiRoute {
    pub(super) method: &'static str,
    /// `{name}` stands for one part.
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) operation: Operation,
    /// What it does, for the document; a page's is its heading.
    pub(super) summary: &'static str,
}

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Found {
    Route(&'static ApiRoute, Vec<String>),
    /// There is such a path, and it takes these methods.
    OtherMethods(Vec<&'static str>),
    Nothing,
}

impl Access {
    /// Whether this role is enough.
    pub(super) fn lets(self, role: Option<UserRole>) -> bool {
        match self {
            Access::Public => true,
            Access::UserRole(needed) => role.is_some_and(|role| rank(role) >= rank(needed)),
        }
    }
}

impl ApiRoute {
    /// Whether it is of the programs' part, and not a page.
    pub(super) fn is_api(&self) -> bool {
        self.path.starts_with("/api/")
            || matches!(
                self.operation,
                Operation::Version | Operation::Health | Operation::Ready
            )
    }

    /// Whether it may change something.
    pub(super) fn is_change(&self) -> bool {
        self.method != "GET"
    }
}

/// Finds a route by its method and its path, without the query.
pub(super) fn find(method: &str, path: &str) -> Found {
    let method = if method == "HEAD" { "GET" } else { method };
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(names) = matched(route.path, path) else {
            continue;
        };
        if route.method == method {
            return Found::Route(route, names);
        }
        others.push(route.method);
    }
    match others.is_empty() {
        true => Found::Nothing,
        false => Found::OtherMethods(others),
    }
}

fn matched(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut names, mut parts) = (Vec::new(), path.split('/'));
    for wanted in pattern.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') {
            names.push(super::ask::decoded_part(part));
            if part.is_empty() {
                return None;
            }
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(names)
}

fn rank(role: UserRole) -> u8 {
    match role {
        UserRole::Viewer => 0,
        UserRole::Operator => 1,
        UserRole::Admin => 2,
    }
}

/// As paths have a kind.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => "hosts",
        Kind::HostKey => "host-keys",
        Kind::Model => "models",
        Kind::Binding => "bindings",
        Kind::Policy => "policies",
        Kind::User => "users",
    }
}

const fn route(
    method: &'static str,
    path: &'static str,
    access: Access,
    operation: Operation,
    summary: &'static str,
) -> ApiRoute {
    ApiRoute {
        method,
        path,
        access,
        operation,
        summary,
    }
}

const PUBLIC: Access = Access::Public;
const VIEWER: Access = Access::UserRole(UserRole::Viewer);
const OPERATOR: Access = Access::UserRole(UserRole::Operator);
const ADMIN: Access = Access::UserRole(UserRole::Admin);

/// Every route there is; the first that fits is taken.
pub(super) const ROUTES: &[ApiRoute] = &[
    route(
        "GET",
        "/version",
        PUBLIC,
        Operation::Version,
        "Which relay this is",
    ),
    route(
        "GET",
        "/healthz",
        PUBLIC,
        Operation::Health,
        "Whether it is alive, and how its parts are",
    ),
    route(
        "GET",
        "/readyz",
        PUBLIC,
        Operation::Ready,
        "Whether it can serve calls",
    ),
    route(
        "GET",
        "/api/v1/openapi.json",
        PUBLIC,
        Operation::OpenApi,
        "This document",
    ),
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
    route(
        "POST",
        "/api/v1/login",
        PUBLIC,
        Operation::Login,
        "Log in with a name and a password; the answer sets the session's cookie",
    ),
    route(
        "POST",
        "/api/v1/logout",
        VIEWER,
        Operation::Logout,
        "End the session that asks",
    ),
    route(
        "GET",
        "/api/v1/me",
        VIEWER,
        Operation::Me,
        "Who asks, as what, and the token that changes need of a browser",
    ),
    route(
        "GET",
        "/api/v1/hosts",
        VIEWER,
        Operation::Row(Act::List, Kind::Host),
        "List the rows of kind Host",
    ),
    route(
        "GET",
        "/api/v1/hosts/{name}",
        VIEWER,
        Operation::Row(Act::Show, Kind::Host),
        "Show one host",
    ),
    route(
        "PUT",
        "/api/v1/hosts/{name}",
        OPERATOR,
        Operation::Row(Act::Put, Kind::Host),
        "Make or change one host",
    ),
    route(
        "DELETE",
        "/api/v1/hosts/{name}",
        OPERATOR,
        Operation::Row(Act::Delete, Kind::Host),
        "Remove one host",
    ),
    route(
        "GET",
        "/api/v1/host-keys",
        VIEWER,
        Operation::Row(Act::List, Kind::HostKey),
        "List the rows of kind HostKey",
    ),
    route(
        "GET",
        "/api/v1/host-keys/{name}",
        VIEWER,
        Operation::Row(Act::Show, Kind::HostKey),
        "Show one host key",
    ),
    route(
        "PUT",
        "/api/v1/host-keys/{name}",
        OPERATOR,
        Operation::Row(Act::Put, Kind::HostKey),
        "Make or change one host key",
    ),
    route(
        "DELETE",
        "/api/v1/host-keys/{name}",
        OPERATOR,
        Operation::Row(Act::Delete, Kind::HostKey),
        "Remove one host key",
    ),
    route(
        "GET",
        "/api/v1/models",
        VIEWER,
        Operation::Row(Act::List, Kind::Model),
        "List the rows of kind Model",
    ),
    route(
        "GET",
        "/api/v1/models/{name}",
        VIEWER,
        Operation::Row(Act::Show, Kind::Model),
        "Show one model",
    ),
    route(
        "PUT",
        "/api/v1/models/{name}",
        OPERATOR,
        Operation::Row(Act::Put, Kind::Model),
        "Make or change one model",
    ),
    route(
        "DELETE",
        "/api/v1/models/{name}",
        OPERATOR,
        Operation::Row(Act::Delete, Kind::Model),
        "Remove one model",
    ),
    route(
        "GET",
        "/api/v1/bindings",
        VIEWER,
        Operation::Row(Act::List, Kind::Binding),
        "List the rows of kind Binding",
    ),
    route(
        "GET",
        "/api/v1/bindings/{name}",
        VIEWER,
        Operation::Row(Act::Show, Kind::Binding),
        "Show one binding",
    ),
    route(
        "PUT",
        "/api/v1/bindings/{name}",
        OPERATOR,
        Operation::Row(Act::Put, Kind::Binding),
        "Make or change one binding",
    ),
    route(
        "DELETE",
        "/api/v1/bindings/{name}",
        OPERATOR,
        Operation::Row(Act::Delete, Kind::Binding),
        "Remove one binding",
    ),
    route(
        "GET",
        "/api/v1/policies",
        VIEWER,
        Operation::Row(Act::List, Kind::Policy),
        "List the rows of kind Policy",
    ),
    route(
        "GET",
        "/api/v1/policies/{name}",
        VIEWER,
        Operation::Row(Act::Show, Kind::Policy),
        "Show one policy",
    ),
    route(
        "PUT",
        "/api/v1/policies/{name}",
        OPERATOR,
        Operation::Row(Act::Put, Kind::Policy),
        "Make or change one policy",
    ),
    route(
        "DELETE",
        "/api/v1/policies/{name}",
        OPERATOR,
        Operation::Row(Act::Delete, Kind::Policy),
        "Remove one policy",
    ),
    route(
        "GET",
        "/api/v1/users",
        VIEWER,
        Operation::Row(Act::List, Kind::User),
        "List the rows of kind User",
    ),
    route(
        "GET",
        "/api/v1/users/{name}",
        VIEWER,
        Operation::Row(Act::Show, Kind::User),
        "Show one user",
    ),
    route(
        "PUT",
        "/api/v1/users/{name}",
        ADMIN,
        Operation::Row(Act::Put, Kind::User),
        "Make or change one user",
    ),
    route(
        "DELETE",
        "/api/v1/users/{name}",
        ADMIN,
        Operation::Row(Act::Delete, Kind::User),
        "Remove one user",
    ),
    route(
        "POST",
        "/api/v1/hosts/{name}/test",
        OPERATOR,
        Operation::TestHost,
        "Ask a host for its models, and tell how that went",
    ),
    route(
        "POST",
        "/api/v1/host-keys/{name}/value",
        OPERATOR,
        Operation::SetValue,
        "Store a new value for a host key; it is never shown again",
    ),
    route(
        "POST",
        "/api/v1/host-keys/{name}/reset",
        OPERATOR,
        Operation::ResetKey,
        "End the rest of a host key",
    ),
    route(
        "GET",
        "/api/v1/breakers",
        VIEWER,
        Operation::Breakers,
        "The circuit breakers that are not closed, or were not",
    ),
    route(
        "POST",
        "/api/v1/breakers/reset",
        OPERATOR,
        Operation::ResetAll,
        "End the rest of every host and host key",
    ),
    route(
        "GET",
        "/api/v1/relay-keys",
        VIEWER,
        Operation::Keys,
        "List the relay keys",
    ),
    route(
        "POST",
        "/api/v1/relay-keys",
        OPERATOR,
        Operation::MintKey,
        "Make a relay key; its text is in this answer and nowhere else",
    ),
    route(
        "PATCH",
        "/api/v1/relay-keys/{name}",
        OPERATOR,
        Operation::ChangeKey,
        "Disable or enable a relay key, or give it another policy",
    ),
    route(
        "POST",
        "/api/v1/relay-keys/{name}/rotate",
        OPERATOR,
        Operation::RotateKey,
        "Give a relay key a new text",
    ),
    route(
        "DELETE",
        "/api/v1/relay-keys/{name}",
        OPERATOR,
        Operation::DeleteKey,
        "Delete a relay key",
    ),
    route(
        "GET",
        "/api/v1/calls",
        VIEWER,
        Operation::Usage,
        "Calls, the newest first",
    ),
    route(
        "GET",
        "/api/v1/usage",
        VIEWER,
        Operation::Usage,
        "Records of calls with their tokens and costs, the newest first; as JSON or CSV",
    ),
    route(
        "GET",
        "/api/v1/usage/summary",
        VIEWER,
        Operation::UsageSummary,
        "Sums of calls by a name; as JSON or CSV",
    ),
    route(
        "GET",
        "/api/v1/usage/series",
        VIEWER,
        Operation::UsageSeries,
        "Sums of calls by time, and by a name",
    ),
    route(
        "GET",
        "/api/v1/route",
        VIEWER,
        Operation::Route,
        "Where a call would go, and why nowhere else",
    ),
    route(
        "GET",
        "/api/v1/calls/{id}",
        VIEWER,
        Operation::Call,
        "One call's whole story",
    ),
    route(
        "GET",
        "/api/v1/audit",
        VIEWER,
        Operation::Audit,
        "Who changed what, the newest first",
    ),
    route(
        "GET",
        "/api/v1/sessions",
        ADMIN,
        Operation::Sessions,
        "Who is logged in",
    ),
    route(
        "DELETE",
        "/api/v1/sessions/{id}",
        ADMIN,
        Operation::EndSession,
        "End somebody's session",
    ),
    route(
        "GET",
        "/api/v1/lanes",
        VIEWER,
        Operation::Lanes,
        "How the lanes are",
    ),
    route(
        "GET",
        "/api/v1/settings",
        VIEWER,
        Operation::Settings,
        "How this relay is set up",
    ),
    route(
        "POST",
        "/api/v1/secrets/rekey",
        ADMIN,
        Operation::Rekey,
        "Seal every stored secret under a new master key",
    ),
    route(
        "GET",
        "/api/v1/catalog/problems",
        VIEWER,
        Operation::Problems,
        "What is wrong in the catalog",
    ),
    route(
        "GET",
        "/api/v1/catalog/export",
        VIEWER,
        Operation::Export,
        "The whole catalog as YAML, without users",
    ),
    route(
        "POST",
        "/api/v1/catalog/diff",
        VIEWER,
        Operation::Diff,
        "What applying these rows would change",
    ),
    route(
        "POST",
        "/api/v1/catalog/apply",
        ADMIN,
        Operation::Apply,
        "Make the catalog what these rows say",
    ),
    route("GET", "/login", PUBLIC, Operation::LoginPage, "Log in"),
    route("POST", "/login", PUBLIC, Operation::LoginForm, "Log in"),
    route("POST", "/logout", VIEWER, Operation::LogoutForm, "Log out"),
    route("GET", "/welcome", PUBLIC, Operation::Welcome, "Welcome"),
    route("GET", "/", VIEWER, Operation::Overview, "Overview"),
    route(
        "GET",
        "/hosts",
        VIEWER,
        Operation::RowsPage(Kind::Host),
        "Hosts",
    ),
    route(
        "GET",
        "/hosts/-/new",
        OPERATOR,
        Operation::NewPage(Kind::Host),
        "New host",
    ),
    route(
        "POST",
        "/hosts/-/new",
        OPERATOR,
        Operation::RowForm(Kind::Host),
        "New host",
    ),
    route(
        "GET",
        "/hosts/{name}",
        VIEWER,
        Operation::RowPage(Kind::Host),
        "Host",
    ),
    route(
        "POST",
        "/hosts/{name}",
        OPERATOR,
        Operation::RowForm(Kind::Host),
        "Change a host",
    ),
    route(
        "GET",
        "/hosts/{name}/delete",
        OPERATOR,
        Operation::DeletePage(Kind::Host),
        "Remove a host",
    ),
    route(
        "POST",
        "/hosts/{name}/delete",
        OPERATOR,
        Operation::DeleteForm(Kind::Host),
        "Remove a host",
    ),
    route(
        "GET",
        "/host-keys",
        VIEWER,
        Operation::RowsPage(Kind::HostKey),
        "Host keys",
    ),
    route(
        "GET",
        "/host-keys/-/new",
        OPERATOR,
        Operation::NewPage(Kind::HostKey),
        "New host key",
    ),
    route(
        "POST",
        "/host-keys/-/new",
        OPERATOR,
        Operation::RowForm(Kind::HostKey),
        "New host key",
    ),
    route(
        "GET",
        "/host-keys/{name}",
        VIEWER,
        Operation::RowPage(Kind::HostKey),
        "Host key",
    ),
    route(
        "POST",
        "/host-keys/{name}",
        OPERATOR,
        Operation::RowForm(Kind::HostKey),
        "Change a host key",
    ),
    route(
        "GET",
        "/host-keys/{name}/delete",
        OPERATOR,
        Operation::DeletePage(Kind::HostKey),
        "Remove a host key",
    ),
    route(
        "POST",
        "/host-keys/{name}/delete",
        OPERATOR,
        Operation::DeleteForm(Kind::HostKey),
        "Remove a host key",
    ),
    route(
        "GET",
        "/models",
        VIEWER,
        Operation::RowsPage(Kind::Model),
        "Models",
    ),
    route(
        "GET",
        "/models/-/new",
        OPERATOR,
        Operation::NewPage(Kind::Model),
        "New model",
    ),
    route(
        "POST",
        "/models/-/new",
        OPERATOR,
        Operation::RowForm(Kind::Model),
        "New model",
    ),
    route(
        "GET",
        "/models/{name}",
        VIEWER,
        Operation::RowPage(Kind::Model),
        "Model",
    ),
    route(
        "POST",
        "/models/{name}",
        OPERATOR,
        Operation::RowForm(Kind::Model),
        "Change a model",
    ),
    route(
        "GET",
        "/models/{name}/delete",
        OPERATOR,
        Operation::DeletePage(Kind::Model),
        "Remove a model",
    ),
    route(
        "POST",
        "/models/{name}/delete",
        OPERATOR,
        Operation::DeleteForm(Kind::Model),
        "Remove a model",
    ),
    route(
        "GET",
        "/bindings",
        VIEWER,
        Operation::RowsPage(Kind::Binding),
        "Bindings",
    ),
    route(
        "GET",
        "/bindings/-/new",
        OPERATOR,
        Operation::NewPage(Kind::Binding),
        "New binding",
    ),
    route(
        "POST",
        "/bindings/-/new",
        OPERATOR,
        Operation::RowForm(Kind::Binding),
        "New binding",
    ),
    route(
        "GET",
        "/bindings/{name}",
        VIEWER,
        Operation::RowPage(Kind::Binding),
        "Binding",
    ),
    route(
        "POST",
        "/bindings/{name}",
        OPERATOR,
        Operation::RowForm(Kind::Binding),
        "Change a binding",
    ),
    route(
        "GET",
        "/bindings/{name}/delete",
        OPERATOR,
        Operation::DeletePage(Kind::Binding),
        "Remove a binding",
    ),
    route(
        "POST",
        "/bindings/{name}/delete",
        OPERATOR,
        Operation::DeleteForm(Kind::Binding),
        "Remove a binding",
    ),
    route(
        "GET",
        "/policies",
        VIEWER,
        Operation::RowsPage(Kind::Policy),
        "Policy",
    ),
    route(
        "GET",
        "/policies/-/new",
        OPERATOR,
        Operation::NewPage(Kind::Policy),
        "New policy",
    ),
    route(
        "POST",
        "/policies/-/new",
        OPERATOR,
        Operation::RowForm(Kind::Policy),
        "New policy",
    ),
    route(
        "GET",
        "/policies/{name}",
        VIEWER,
        Operation::RowPage(Kind::Policy),
        "Policy",
    ),
    route(
        "POST",
        "/policies/{name}",
        OPERATOR,
        Operation::RowForm(Kind::Policy),
        "Change a policy",
    ),
    route(
        "GET",
        "/policies/{name}/delete",
        OPERATOR,
        Operation::DeletePage(Kind::Policy),
        "Remove a policy",
    ),
    route(
        "POST",
        "/policies/{name}/delete",
        OPERATOR,
        Operation::DeleteForm(Kind::Policy),
        "Remove a policy",
    ),
    route(
        "GET",
        "/users",
        VIEWER,
        Operation::RowsPage(Kind::User),
        "Users",
    ),
    route(
        "GET",
        "/users/-/new",
        ADMIN,
        Operation::NewPage(Kind::User),
        "New user",
    ),
    route(
        "POST",
        "/users/-/new",
        ADMIN,
        Operation::RowForm(Kind::User),
        "New user",
    ),
    route(
        "GET",
        "/users/{name}",
        VIEWER,
        Operation::RowPage(Kind::User),
        "User",
    ),
    route(
        "POST",
        "/users/{name}",
        ADMIN,
        Operation::RowForm(Kind::User),
        "Change a user",
    ),
    route(
        "GET",
        "/users/{name}/delete",
        ADMIN,
        Operation::DeletePage(Kind::User),
        "Remove a user",
    ),
    route(
        "POST",
        "/users/{name}/delete",
        ADMIN,
        Operation::DeleteForm(Kind::User),
        "Remove a user",
    ),
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
    route("GET", "/route", VIEWER, Operation::RoutePage, "Route"),
    route("GET", "/people", ADMIN, Operation::PeoplePage, "Sessions"),
    route(
        "POST",
        "/people/{id}/end",
        ADMIN,
        Operation::EndForm,
        "End a session",
    ),
    route("GET", "/audit", VIEWER, Operation::AuditPage, "Audit"),
    route("GET", "/about", VIEWER, Operation::AboutPage, "Settings"),
    route(
        "POST",
        "/about/rekey",
        ADMIN,
        Operation::RekeyForm,
        "Settings",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_route_with_the_names_in_it() {
        let Found::Route(route, names) = find("PUT", "/api/v1/models/meta%2Fllama") else {
            unreachable!("there is such a route");
        };
        assert_eq!(route.operation, Operation::Row(Act::Put, Kind::Model));
        assert_eq!(names, ["meta/llama"]);
        assert!(
            matches!(find("PATCH", "/api/v1/hosts"), Found::OtherMethods(known) if known == ["GET"])
        );
        for nothing in ["/api/v1/hosts/", "/nowhere", "/hosts/a/b/c"] {
            assert!(matches!(find("GET", nothing), Found::Nothing), "{nothing}");
        }
    }

    #[test]
    fn whatever_changes_something_needs_more_than_a_viewer_but_for_the_ways_in_and_out() {
        let open: Vec<&str> = ROUTES
            .iter()
            .filter(|route| route.is_change() && route.access.lets(Some(UserRole::Viewer)))
            .map(|route| route.path)
            .collect();
        let expected = [
            "/api/v1/login",
            "/api/v1/logout",
            "/api/v1/catalog/diff",
            "/login",
            "/logout",
        ];
        assert_eq!(open, expected);
    }

    #[test]
    fn without_a_login_there_is_what_everybody_may_see_and_no_more() {
        let open: Vec<&str> = ROUTES
            .iter()
            .filter(|route| route.access.lets(None))
            .map(|route| route.path)
            .collect();
        let expected = [
            "/version",
            "/healthz",
            "/readyz",
            "/api/v1/openapi.json",
            "/assets/style.css",
            "/assets/live.js",
            "/api/v1/login",
            "/login",
            "/login",
            "/welcome",
        ];
        assert_eq!(open, expected);
    }

    #[test]
    fn users_and_sessions_are_an_admins() {
        for route in ROUTES
            .iter()
            .filter(|route| route.path.contains("/users") && route.is_change())
        {
            assert!(
                !route.access.lets(Some(UserRole::Operator)),
                "{}",
                route.path
            );
            assert!(route.access.lets(Some(UserRole::Admin)), "{}", route.path);
        }
    }
}
