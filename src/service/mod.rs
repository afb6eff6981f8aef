//! What keeps the daemon running: systemd, launchd or the Task Scheduler, as the user's own service.
//!
//! **What for.** [`Manager`] says what installing, starting, stopping and removing the service takes, as a list of
//! [`step::Step`]s; [`mod@perform`] takes them. [`LogFile`] keeps the log where a manager keeps none.
//!
//! **Never.** Nothing here needs an administrator, or touches a service that is not this user's: a service of the
//! system would run another user's claude, without a login.
//!
//! **Invariants.** What goes into a file is escaped for that file: blanks, quotes, percent and dollar signs of a path
//! mean themselves. A plan is whole before its first step is taken.
//!
//! The crate `service-manager` was tried on paper and lost. It writes `ExecStart` without escaping, so that a blank or
//! a percent sign in a path starts another program; on Windows it knows services of the system only; and it tells no
//! state and no log. What is left of it are the command lines.
//!
//! Start reading at [`manager`].

mod launchd;
mod log_file;
mod manager;
mod perform;
mod scheduler;
mod step;
mod systemd;

pub(crate) use log_file::LogFile;
pub(crate) use manager::Manager;
pub(crate) use manager::ServiceSpec;
pub(crate) use manager::Standing;
pub(crate) use perform::exec;
pub(crate) use perform::here;
pub(crate) use perform::output;
pub(crate) use perform::perform;
