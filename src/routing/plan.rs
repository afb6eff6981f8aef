//! The plan of a call: which lanes are tried, in which order, and why not the others. `[pure]`

use super::fault;
use crate::lane::Affinity;
use crate::lane::Fit;
use crate::lane::LaneWant;
use crate::turn::Fault;
use crate::turn::LaneId;

/// A lane that could serve the call.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) lane: LaneId,
    /// Whether the order names it; others serve only who asks for them.
    pub(super) is_in_order: bool,
    pub(super) fit: Fit,
}

/// The plan, and why the other candidates are not in it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Route {
    /// Places of candidates, in the order in which they are tried.
    pub(super) steps: Vec<usize>,
    pub(super) excluded: Vec<(LaneId, Fault)>,
}

/// Plans a call over candidates, which stand in the order of the configuration. A lane that holds the conversation
/// already goes first.
pub(super) fn plan(want: &LaneWant, strict: bool, candidates: Vec<Candidate>) -> Route {
    let mut route = Route::default();
    let mut steps = Vec::new();
    for (place, candidate) in candidates.into_iter().enumerate() {
        let is_wanted = match want {
            LaneWant::Any => candidate.is_in_order,
            LaneWant::Only(lane) => *lane == candidate.lane,
        };
        if !is_wanted {
            continue;
        }
        match verdict(candidate.fit, strict) {
            Ok(affinity) => steps.push((affinity, place)),
            Err(fault) => route.excluded.push((candidate.lane, fault)),
        }
    }
    // The sort is stable: among equals the configuration's order stays.
    steps.sort_by_key(|(affinity, _)| std::cmp::Reverse(*affinity));
    route.steps = steps.into_iter().map(|(_, place)| place).collect();
    route
}

fn verdict(fit: Fit, strict: bool) -> Result<Affinity, Fault> {
    match fit {
        Fit::Unfit(fault) => Err(fault),
        Fit::Fits { ignored, .. } if strict && !ignored.is_empty() => {
            Err(fault::not_honoured(&ignored))
        }
        Fit::Fits { affinity, .. } => Ok(affinity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Blame;
    use crate::turn::FaultKind;

    fn fits(ignored: &[&str], affinity: Affinity) -> Fit {
        let ignored = ignored.iter().map(|path| (*path).to_owned()).collect();
        Fit::Fits { ignored, affinity }
    }

    fn candidate(lane: &str, is_in_order: bool, fit: Fit) -> Candidate {
        Candidate {
            lane: LaneId::new(lane),
            is_in_order,
            fit,
        }
    }

    fn steps(want: &LaneWant, strict: bool, candidates: &[Candidate]) -> Vec<usize> {
        plan(want, strict, candidates.to_vec()).steps
    }

    #[test]
    fn the_order_counts_and_a_lane_that_holds_the_conversation_goes_first() {
        let any = LaneWant::Any;
        let mut lanes = [
            candidate("a", true, Fit::whole()),
            candidate("b", true, Fit::whole()),
            candidate("c", false, Fit::whole()),
        ];
        assert_eq!(steps(&any, false, &lanes), [0, 1]);
        lanes[1].fit = fits(&[], Affinity::Held);
        assert_eq!(steps(&any, false, &lanes), [1, 0]);
    }

    #[test]
    fn a_caller_that_asks_for_one_lane_gets_no_other() {
        let only = LaneWant::Only(LaneId::new("c"));
        let lanes = [
            candidate("a", true, Fit::whole()),
            candidate("c", false, Fit::whole()),
        ];
        assert_eq!(steps(&only, false, &lanes), [1]);
    }

    #[test]
    fn what_a_lane_cannot_do_excludes_it_with_its_reason() {
        let unfit = Fault::new(FaultKind::InvalidRequest, Blame::Client, "no");
        let lanes = [
            candidate("a", true, Fit::Unfit(unfit.clone())),
            candidate("b", true, fits(&["speed"], Affinity::None)),
        ];
        assert_eq!(steps(&LaneWant::Any, false, &lanes), [1]);
        let strict = plan(&LaneWant::Any, true, lanes.to_vec());
        assert_eq!(strict.steps, [0_usize; 0]);
        assert_eq!(strict.excluded[0], (LaneId::new("a"), unfit));
        assert!(strict.excluded[1].1.public.starts_with("speed: "));
    }
}
