//! The one table of routes: what there is to ask, and which role it needs. `[pure]`

mod api;
mod page;
mod rows;

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
    Budgets,
    Refused,
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
    ChangeSettings,
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
    KeyPage,
    KeyChangeForm,
    KeyRotateForm,
    KeyDeletePage,
    KeyDeleteForm,
    CallsPage,
    CallPage,
    PeoplePage,
    EndForm,
    BudgetsPage,
    UsagePage,
    SearchPage,
    RekeyForm,
    SettingsForm,
    RoutePage,
    AuditPage,
    AboutPage,
    /// A page by the name that its heading has; its address is this one.
    Moved(&'static str),
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
    for route in routes() {
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
pub(super) fn routes() -> impl Iterator<Item = &'static ApiRoute> {
    let rows = rows::ROUTES.into_iter().flatten();
    api::ROUTES.iter().chain(rows).chain(page::ROUTES)
}

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
        let open: Vec<&str> = routes()
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
        let open: Vec<&str> = routes()
            .filter(|route| route.access.lets(None))
            .map(|route| route.path)
            .collect();
        let expected = [
            "/version",
            "/healthz",
            "/readyz",
            "/api/v1/openapi.json",
            "/api/v1/login",
            "/assets/style.css",
            "/assets/live.js",
            "/login",
            "/login",
            "/welcome",
        ];
        assert_eq!(open, expected);
    }

    #[test]
    fn users_and_sessions_are_an_admins() {
        for route in routes().filter(|route| route.path.contains("/users") && route.is_change()) {
            assert!(
                !route.access.lets(Some(UserRole::Operator)),
                "{}",
                route.path
            );
            assert!(route.access.lets(Some(UserRole::Admin)), "{}", route.path);
        }
    }
}
