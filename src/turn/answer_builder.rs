//! Events put together to the whole answer, with the grammar checked.

use super::AnswerBlock;
use super::AnswerGrammar;
use super::AnswerSize;
use super::End;
use super::Event;
use super::Start;

/// An answer being put together.
#[derive(Debug, Default)]
pub(crate) struct AnswerBuilder {
    grammar: AnswerGrammar,
    start: Option<Start>,
    blocks: Vec<AnswerBlock>,
    size: AnswerSize,
    end: Option<End>,
}

/// The whole answer.
#[derive(Debug, PartialEq)]
pub(crate) struct CompleteAnswer {
    pub(crate) start: Start,
    pub(crate) blocks: Vec<AnswerBlock>,
    pub(crate) end: End,
}

/// Why an answer cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unbuilt {
    /// The rule of the grammar that an event breaks.
    Broken(&'static str),
    /// It is longer than [`ANSWER_BYTES_MAX`](super::ANSWER_BYTES_MAX).
    TooLong,
}

impl AnswerBuilder {
    /// Takes the next event.
    ///
    /// # Errors
    /// Where it breaks a rule of the grammar, or the answer is too long; the builder is then of no further use.
    pub(crate) fn push(&mut self, event: &Event) -> Result<(), Unbuilt> {
        self.grammar.check(event).map_err(Unbuilt::Broken)?;
        if !self.size.has_room_for(event) {
            self.blocks.clear();
            return Err(Unbuilt::TooLong);
        }
        match event {
            Event::Start(start) => self.start = Some(Start::clone(start)),
            Event::BlockStart { kind, .. } => self.blocks.push(AnswerBlock::begun(kind.clone())),
            Event::Delta { delta, .. } => {
                let block = self.blocks.last_mut();
                let block = block.ok_or(Unbuilt::Broken("a delta outside its block"))?;
                block.extend(delta).map_err(Unbuilt::Broken)?;
            }
            Event::BlockStop { .. } => {}
            Event::End(end) => self.end = Some(End::clone(end)),
        }
        Ok(())
    }

    /// The whole answer, once its end has come.
    pub(crate) fn finish(self) -> Option<CompleteAnswer> {
        Some(CompleteAnswer {
            start: self.start?,
            blocks: self.blocks,
            end: self.end?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ANSWER_BYTES_MAX;
    use super::super::BlockKind;
    use super::super::Delta;
    use super::super::Labels;
    use super::super::LaneId;
    use super::super::MessageId;
    use super::super::StopReason;
    use super::super::Usage;
    use super::*;

    fn start() -> Event {
        let labels = Labels::exact(LaneId::new("test"));
        Event::Start(Box::new(Start {
            id: MessageId("msg_1".into()),
            model: "m".into(),
            usage: Usage::default(),
            labels,
        }))
    }

    fn end() -> Event {
        Event::End(Box::new(End {
            stop: StopReason::EndTurn,
            details: None,
            usage: Usage::default(),
            id: None,
            model: None,
        }))
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
                .push(&event)
                .expect("each event must fit the grammar");
        }
        let whole = builder.finish().expect("the end came");
        assert_eq!(whole.blocks[0].text, "a\tb\n");
    }

    #[test]
    fn events_out_of_order_are_refused() {
        assert!(AnswerBuilder::default().push(&end()).is_err());
        let mut open = AnswerBuilder::default();
        open.push(&start()).expect("a start begins");
        open.push(&Event::BlockStart {
            index: 0,
            kind: BlockKind::Text,
        })
        .expect("a block follows");
        assert!(open.push(&end()).is_err());
        let mut skipped = AnswerBuilder::default();
        skipped.push(&start()).expect("a start begins");
        assert!(
            skipped
                .push(&Event::BlockStart {
                    index: 1,
                    kind: BlockKind::Text
                })
                .is_err()
        );
    }

    #[test]
    fn an_answer_is_held_up_to_its_bound() {
        let mut builder = AnswerBuilder::default();
        builder.push(&start()).expect("a start begins");
        let kind = BlockKind::Text;
        let begun = builder.push(&Event::BlockStart { index: 0, kind });
        begun.expect("a block follows");
        let delta = Delta::Text("a".repeat(ANSWER_BYTES_MAX / 4));
        let more = Event::Delta { index: 0, delta };
        let told = [(); 4].map(|()| builder.push(&more));
        assert_eq!(told, [Ok(()), Ok(()), Ok(()), Err(Unbuilt::TooLong)]);
    }

    #[test]
    fn blocks_without_a_word_are_bounded_too() {
        let mut builder = AnswerBuilder::default();
        builder.push(&start()).expect("a start begins");
        let block = |index| {
            let kind = BlockKind::Thinking;
            [
                Event::BlockStart { index, kind },
                Event::BlockStop { index },
            ]
        };
        let refused = (0..ANSWER_BYTES_MAX)
            .flat_map(block)
            .find_map(|event| builder.push(&event).err());
        assert_eq!(refused, Some(Unbuilt::TooLong));
    }
}
