//! What stands around every page: its title, who is logged in, where one can go. `[pure]`

use super::super::ask::Actor;
use super::super::ask::Ask;
use crate::catalog::UserRole;

/// The frame of a page.
pub(super) struct Frame {
    pub(super) title: String,
    /// Empty: nobody.
    pub(super) user: String,
    pub(super) role: &'static str,
    pub(super) csrf: String,
    pub(super) nav: Vec<Link>,
    pub(super) notice: &'static str,
}

/// A place to go to.
pub(super) struct Link {
    pub(super) href: String,
    pub(super) text: String,
    pub(super) is_here: bool,
}

impl Frame {
    /// Of a page for whoever has logged in.
    pub(super) fn of(ask: &Ask, title: impl Into<String>) -> Frame {
        Frame {
            notice: notice(ask.query("done")),
            ..Frame::seen_by(&ask.actor, ask.route.path, title)
        }
    }

    /// Of a page at this path; somebody finds the way on from it.
    pub(super) fn seen_by(actor: &Actor, path: &str, title: impl Into<String>) -> Frame {
        let is_admin = actor.role() == Some(UserRole::Admin);
        let nav = NAV
            .iter()
            .filter(|(href, _)| is_admin || *href != "/people");
        let user = match actor {
            Actor::Nobody => return Frame::bare(title),
            Actor::Token | Actor::User(_) => actor.name(),
        };
        Frame {
            title: title.into(),
            user: user.to_owned(),
            role: actor.role().map_or("", UserRole::word),
            csrf: actor.csrf().to_owned(),
            nav: nav
                .map(|(href, text)| link(href, text, is_below(path, href)))
                .collect(),
            notice: "",
        }
    }

    /// Of a page for anybody.
    pub(super) fn bare(title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            user: String::new(),
            role: "",
            csrf: String::new(),
            nav: Vec::new(),
            notice: "",
        }
    }
}

pub(super) fn link(href: &str, text: &str, is_here: bool) -> Link {
    Link {
        href: href.to_owned(),
        text: text.to_owned(),
        is_here,
    }
}

fn is_below(path: &str, href: &str) -> bool {
    path == href
        || href != "/"
            && path
                .strip_prefix(href)
                .is_some_and(|rest| rest.starts_with('/'))
}

/// What was done, in words of ours: an address names them and does not write them.
fn notice(done: Option<&str>) -> &'static str {
    match done {
        Some("saved") => "Saved, and in force.",
        Some("period") => {
            "Saved, and in force. The budget's period is another one: what was spent so far stays with the old one, and the \
             new one starts at nothing."
        }
        Some("removed") => "Removed.",
        Some("stored") => "The value is stored, and in force.",
        Some("reset") => "Its rest is over; the next call may use it.",
        Some("changed") => "Changed.",
        Some("rekeyed") => "Everything that is stored is sealed under a new master key.",
        Some("ended") => "The session is ended.",
        Some(_) | None => "",
    }
}

const NAV: &[(&str, &str)] = &[
    ("/", "Overview"),
    ("/calls", "Calls"),
    ("/usage", "Usage"),
    ("/budgets", "Budgets"),
    ("/route", "Route"),
    ("/hosts", "Hosts"),
    ("/host-keys", "Host keys"),
    ("/models", "Models"),
    ("/bindings", "Bindings"),
    ("/policies", "Policies"),
    ("/keys", "Keys"),
    ("/users", "Users"),
    ("/people", "Sessions"),
    ("/audit", "Audit"),
    ("/about", "Settings"),
];
