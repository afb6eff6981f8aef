//! The calls that were: what they cost and how they ended, never what was said in them.
//!
//! **What for.** A [`CallRecorder`] goes along with a call and is told what becomes of it. When the call is over, its entry is
//! kept by the [`CallLog`]: the last thousand in memory and in `recent-calls.jsonl`, and all of them in the numbers
//! of [`Metrics`]. Of requests that were refused before they were calls the last hundred are kept, in memory alone.
//!
//! **Never.** No text of a prompt, of an answer or of a key comes here. No call waits for the disk, or fails because of
//! it: what cannot be written is counted, and stays in memory.
//!
//! **Invariants.** The file has at most a thousand lines, each whole. A process that is killed leaves at most one torn
//! line, the last, which the next start takes away.
//!
//! Start reading at [`recorder`].

mod file;
mod filter;
mod json_text;
mod metrics;
mod record;
mod recorder;
mod refused;
mod time;
mod writer;

pub(crate) use filter::Filter;
pub(crate) use filter::decoded;
pub(crate) use metrics::Gauge;
pub(crate) use metrics::Metrics;
pub(crate) use record::CallRecord;
pub(crate) use record::Charge;
pub(crate) use record::whole_story;
pub(crate) use recorder::CallRecorder;
pub(crate) use recorder::Took;
pub(crate) use refused::RefusedRequest;
pub(crate) use time::now;
pub(crate) use time::since;
pub(crate) use writer::CallLog;
