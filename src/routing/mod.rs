//! Which lane serves a call, in which order lanes are tried, and when to change.
//!
//! **What for.** [`Router::serve`] plans a call ([`plan`], pure; [`Router::explain`] tells the same plan) and tries the lanes of the plan in order. Until a lane has
//! committed, which is when the first meaningful event of an answer is there, the next one may be tried; after that the
//! call never looks back.
//!
//! **Never.** It knows no dialect and no lane but by the interface of [`crate::lane`]. It never goes to a lane that the
//! order does not name, nor past the one that a caller asked for.
//!
//! **Invariants.** Each candidate is a step or is excluded with its reason. A caller that goes away ends the attempt that
//! runs. A fault says itself whether another lane helps.
//!
//! Start reading at [`plan`].

mod budget;
mod explain;
mod fault;
mod plan;
mod reserve;
mod run;
mod standing;
mod ways;

pub(crate) use budget::BudgetView;
pub(crate) use explain::CandidateView;
pub(crate) use explain::KeyView;
pub(crate) use explain::Reason;
pub(crate) use explain::RouteExplanation;
pub(crate) use explain::RouteQuestion;
pub(crate) use reserve::PolicyLimits;
pub(crate) use reserve::Settlement;
pub(crate) use run::Router;
pub(crate) use standing::LimitQuery;
pub(crate) use standing::LimitView;
pub(crate) use ways::Lanes;
