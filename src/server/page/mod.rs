//! The status page: how the relay is, for a person with a browser.
//!
//! **What for.** [`mod@front`] answers `GET /`: a page to who asks for HTML on loopback, and the list of routes to
//! everybody else. The page tells health, the pool's sessions, the last calls, what a program needs, how keys and licence
//! stand where there are some, and the next step where something is wrong.
//!
//! **Never.** It runs no script, loads nothing, and holds no text of a call. Where calls need a key, which a browser
//! does not show, it tells a stranger no session, no call and no path; who shows a key sees the calls of that key. It changes nothing: there is nothing on
//! it to be pressed but links.
//!
//! **Invariants.** Whatever comes from outside of this file is escaped. The policy that goes with the page allows its
//! own style sheet by a number that is made for each answer, and nothing else. It asks again by itself only where the
//! reader chose so, because a page that moves under a screen reader cannot be read.
//!
//! Start reading at [`view`].

mod calls;
mod front;
mod health_line;
mod html;
mod plan;
mod view;

pub(super) use front::front;
