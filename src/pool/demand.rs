//! Which sessions should wait before anybody asks: what was asked for lately will be asked for again. `[pure]`

use super::slot::SlotKind;
use super::slot::Slots;
use crate::session::Shape;
use std::collections::VecDeque;

/// What is likely to be asked for.
#[derive(Debug)]
pub(super) struct Demand {
    /// Shapes that were asked for, the latest first; at the start, the one that is likely.
    recent: VecDeque<Shape>,
    /// Sessions that are worth keeping.
    idle: usize,
    /// Sessions can be primed here.
    primes: bool,
}

impl Demand {
    pub(super) fn new(likely: Shape, idle: usize, primes: bool) -> Demand {
        Demand {
            recent: VecDeque::from([likely]),
            idle,
            primes,
        }
    }

    /// This shape was asked for; so many are remembered.
    pub(super) fn note(&mut self, shape: &Shape, most: usize) {
        self.recent.retain(|known| known != shape);
        self.recent.push_front(shape.clone());
        self.recent.truncate(most);
    }

    /// The first of the wanted sessions that is not there.
    pub(super) fn missing(&self, slots: &Slots) -> Option<(Shape, SlotKind)> {
        let mut asked: Vec<(&Shape, SlotKind)> = Vec::new();
        for (shape, kind) in self.wanted()?.take(self.idle) {
            asked.push((shape, kind));
            let same = asked.iter().filter(|other| **other == (shape, kind));
            if slots.supply(shape, kind) < same.count() {
                return Some((shape.clone(), kind));
            }
        }
        None
    }

    /// One to type into and one primed of the latest shape, one of each shape before it, and more of the latest.
    fn wanted(&self) -> Option<impl Iterator<Item = (&Shape, SlotKind)>> {
        let latest = self.recent.front()?;
        let primed = self.primes && self.idle > 1;
        let others = self
            .recent
            .iter()
            .skip(1)
            .map(|shape| (shape, SlotKind::Typed));
        let first = [(latest, SlotKind::Typed)].into_iter();
        let wanted = first
            .chain(primed.then_some((latest, SlotKind::Primed)))
            .chain(others)
            .chain(std::iter::repeat((latest, SlotKind::Typed)));
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_kind_of_the_latest_is_wanted_then_those_before_it() {
        let (a, b) = (Shape::plain("a"), Shape::plain("b"));
        let mut demand = Demand::new(a.clone(), 4, true);
        demand.note(&b, 2);
        let wanted: Vec<_> = demand.wanted().into_iter().flatten().take(4).collect();
        let expected = [
            (&b, SlotKind::Typed),
            (&b, SlotKind::Primed),
            (&a, SlotKind::Typed),
            (&b, SlotKind::Typed),
        ];
        assert_eq!(wanted, expected);
    }
}
