//! Tells somebody when a budget is nearly spent, and when it is.
//!
//! **What for.** [`watch()`] looks at every budget of the catalog in force, away from every call, and tells of each that has
//! reached 80 % or 100 % of its amount: a line of the log, and where one is configured, a message to a webhook.
//!
//! **Never.** No call waits for it. A webhook is told names and amounts of money, and nothing of a call or a key's value.
//! Its address is checked when it is written and again when it is connected, as a host's is, and no redirect is followed.
//!
//! **Invariants.** Each budget is told of once a level and window, also over a restart. One message is on its way at a
//! time; a webhook that does not answer is tried three times, and then the log has to do.
//!
//! Start reading at [`level`].

mod level;
mod watch;
mod webhook;

pub(crate) use watch::watch;
pub(crate) use webhook::WebhookConfig;
