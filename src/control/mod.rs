//! The control plane: an operator's dashboard and admin API, on a listener of its own, behind a login of its own.
//!
//! **What for.** [`bind`] opens the port, [`Listener::run`] serves it. What there is to ask stands in one table
//! ([`access`]): each route with the role that it needs; the guard, the dispatch and the OpenAPI document are made from it.
//!
//! **Never.** No call waits for anything here. No value of a host key, no password and no hash of one is ever shown, and
//! the text of a relay key is shown once, by the request that made it.
//!
//! **Invariants.**
//! - Who asks is settled before a handler runs: by a session's cookie, or by the admin token. The role is that of the
//!   catalog in force, so that a user who is disabled or gone is out with the next request.
//! - What changes something needs, of a browser, the session's own token and the page's own origin.
//! - A stored credential goes nowhere that it was not stored for, but by an admin's word ([`detach`]).
//! - A session ends with its user's password, and when its user is disabled; an open stream of events with it.
//! - Every change is in the audit log: who, what, before and after, without secrets.
//! - Relays that share a Valkey share logins; a cookie's own text goes nowhere, and no request waits for it.
//! - The wrong name and the wrong password cost the same work.
//!
//! Start reading at [`access`], then [`gate`].

mod access;
mod answer;
mod api;
mod ask;
mod audit;
mod body_share;
mod breaker;
mod cookie;
mod csv;
mod detach;
mod etag;
mod form;
mod gate;
mod key;
mod limits;
mod listener;
mod live;
mod login;
mod logins;
mod moving;
mod openapi;
mod outside;
mod page;
mod password;
mod plane;
mod question;
mod rekey;
mod reply;
mod route;
mod row;
mod session;
mod set;
mod setting;
mod system;
mod throttle;
mod trial;
mod turns;
mod usage;
mod user;
mod value;

pub(crate) use csv::calls as calls_csv;
pub(crate) use csv::costs;
pub(crate) use csv::sums as sums_csv;
pub(crate) use key::view as key_view;
pub(crate) use listener::Listener;
pub(crate) use listener::bind;
pub(crate) use logins::LOGIN_NEWS;
pub(crate) use password::CHARACTERS_MIN as PASSWORD_CHARACTERS_MIN;
pub(crate) use password::hashed;
pub(crate) use plane::Plane;
pub(crate) use plane::Rooms;
pub(crate) use question::is_status;
pub(crate) use setting::Setting;
pub(crate) use setting::SettingFault;
pub(crate) use setting::SettingProblem;
pub(crate) use setting::SettingsBook;
pub(crate) use user::FIRST_USER_LOG;
pub(crate) use user::make_first_admin;
pub(crate) use user::new_password;

use crate::auth::Network;
use crate::secret::MasterKeySource;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Where the control plane listens, and whom it lets in.
#[derive(Debug, Clone)]
pub(crate) struct ControlConfig {
    /// `None`: there is none.
    pub(crate) port: Option<ControlPort>,
    pub(crate) host: IpAddr,
    /// Whether its cookie is marked Secure; `None`: by how the browser came.
    pub(crate) cookie_secure: Option<bool>,
    pub(crate) token: Option<AdminToken>,
    /// Names, beside localhost and addresses, that a request may carry as its host.
    pub(crate) allowed_hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub(crate) proxies: Vec<Network>,
    /// The state folder.
    pub(crate) home: PathBuf,
    /// What stored secrets are sealed with.
    pub(crate) master: MasterKeySource,
}

/// A port, and whether somebody asked for it: the default one may be taken without harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ControlPort {
    pub(crate) number: u16,
    pub(crate) is_named: bool,
}

/// A bearer token that may do everything.
#[derive(Clone)]
pub(crate) struct AdminToken(Zeroizing<String>);

impl AdminToken {
    /// `None` for no text; a token is never empty.
    pub(crate) fn of(text: Option<&str>) -> Option<AdminToken> {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        text.map(|text| AdminToken(Zeroizing::new(text.to_owned())))
    }

    /// Compares hashes, in a time that tells nothing.
    fn is(&self, shown: &str) -> bool {
        use sha2::Digest;
        let digest = |text: &str| sha2::Sha256::digest(text.as_bytes());
        subtle::ConstantTimeEq::ct_eq(&digest(&self.0)[..], &digest(shown)[..]).into()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}
