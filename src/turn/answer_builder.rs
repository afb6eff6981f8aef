//! Events put together to the whole answer, with the grammar checked.

use super::AnswerBlock;
use super::BlockKind;
use super::Delta;
use super::End;
use super::Event;
use super::Start;

/// An answer being put together.
#[derive(Debug, Default)]
pub(crate) struct AnswerBuilder {
    start: Option<Start>,
    blocks: Vec<AnswerBlock>,
    open: bool,
    end: Option<End>,
}

/// The whole answer.
#[derive(Debug, PartialEq)]
pub(crate) struct CompleteAnswer {
    pub(crate) start: Start,
    pub(crate) blocks: Vec<AnswerBlock>,
    pub(crate) end: End,
}

impl AnswerBuilder {
    /// Takes the next event.
    ///
    /// # Errors
    /// Says which rule of the grammar the event breaks; the builder is then of no further use.
    pub(crate) fn push(&mut self, event: Event) -> Result<(), &'static str> {
        if self.end.is_some() {
            return Err("an event after the end");
        }
        match event {
            Event::Start(start) => match self.start.replace(start) {
                None => Ok(()),
                Some(_) => Err("a second start"),
            },
            _ if self.start.is_none() => Err("an event before the start"),
            Event::BlockStart { index, kind } => self.open(index, kind),
            Event::Delta { index, delta } => self.extend(index, delta),
            Event::BlockStop { index } => self.close(index),
            Event::End(_) if self.open => Err("an end inside a block"),
            Event::End(end) => {
                self.end = Some(end);
                Ok(())
            }
        }
    }

    /// The whole answer, once its end has come.
    pub(crate) fn finish(self) -> Option<CompleteAnswer> {
        Some(CompleteAnswer {
            start: self.start?,
            blocks: self.blocks,
            end: self.end?,
        })
    }

    fn open(&mut self, index: usize, kind: BlockKind) -> Result<(), &'static str> {
        if self.open {
            return Err("a block inside a block");
        }
        if index != self.blocks.len() {
            return Err("a block out of order");
        }
        self.open = true;
        self.blocks.push(AnswerBlock::begun(kind));
        Ok(())
    }

    fn extend(&mut self, index: usize, delta: Delta) -> Result<(), &'static str> {
        if !self.open || index + 1 != self.blocks.len() {
            return Err("a delta outside its block");
        }
        let block = self.blocks.last_mut();
        block.ok_or("a delta outside its block")?.extend(&delta)
    }

    fn close(&mut self, index: usize) -> Result<(), &'static str> {
        if !self.open || index + 1 != self.blocks.len() {
            return Err("a stop outside its block");
        }
        self.open = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Labels;
    use super::super::LaneId;
    use super::super::MessageId;
    use super::super::StopReason;
    use super::super::Usage;
    use super::*;

    fn start() -> Event {
        let labels = Labels::exact(LaneId::new("test"));
        Event::Start(Start {
            id: MessageId("msg_1".into()),
            model: "m".into(),
            usage: Usage::default(),
            labels,
        })
    }

    fn end() -> Event {
        Event::End(End {
            stop: StopReason::EndTurn,
            details: None,
            usage: Usage::default(),
            id: None,
            model: None,
        })
    }

    #[test]
    fn an_answer_is_put_together_in_order() {
        let mut builder = AnswerBuilder::default();
        for event in [
            start(),
            Event::BlockStart {
                index: 0,
                kind: BlockKind::Text,
            },
            Event::Delta {
                index: 0,
                delta: Delta::Text("a\t".into()),
            },
            Event::Delta {
                index: 0,
                delta: Delta::Text("b\n".into()),
            },
            Event::BlockStop { index: 0 },
            end(),
        ] {
            builder
                .push(event)
                .expect("each event must fit the grammar");
        }
        let whole = builder.finish().expect("the end came");
        assert_eq!(whole.blocks[0].text, "a\tb\n");
    }

    #[test]
    fn events_out_of_order_are_refused() {
        assert!(AnswerBuilder::default().push(end()).is_err());
        let mut open = AnswerBuilder::default();
        open.push(start()).expect("a start begins");
        open.push(Event::BlockStart {
            index: 0,
            kind: BlockKind::Text,
        })
        .expect("a block follows");
        assert!(open.push(end()).is_err());
        let mut skipped = AnswerBuilder::default();
        skipped.push(start()).expect("a start begins");
        assert!(
            skipped
                .push(Event::BlockStart {
                    index: 1,
                    kind: BlockKind::Text
                })
                .is_err()
        );
    }
}
