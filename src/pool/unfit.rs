//! Calls that no claude can take, whatever its mode. `[pure]`

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Request;
use crate::turn::Role;

/// Why a claude cannot take the call; `None` where it can.
pub(super) fn why(request: &Request) -> Option<Fault> {
    let prefilled = request
        .prompt()
        .is_some_and(|last| last.role == Role::Assistant);
    if prefilled {
        return Some(invalid(format!(
            "{}.role: this lane cannot continue an assistant message (prefill); let the last message be the user's, or \
             bring the results of its calls",
            request.last_at
        )));
    }
    let is_argument = is_argument(&request.model);
    (!is_argument).then(|| invalid("model: Input should be the name of a model".to_owned()))
}

/// The name of the model becomes an argument of a command line.
fn is_argument(model: &str) -> bool {
    !model.starts_with('-') && !model.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn invalid(public: String) -> Fault {
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Block;
    use crate::turn::Message;

    fn request(model: &str, role: Role) -> Request {
        let blocks = vec![Block::Text("hi".into())];
        let mut request = Request::plain(vec![Message { role, blocks }]);
        request.model = model.to_owned();
        request.last_at = "input.4".to_owned();
        request
    }

    #[test]
    fn a_prefill_and_a_model_that_is_an_option_are_refused_by_their_path() {
        assert_eq!(why(&request("m", Role::User)), None);
        for (model, role, path) in [
            ("m", Role::Assistant, "input.4.role: "),
            ("--help", Role::User, "model: "),
            ("a b", Role::User, "model: "),
        ] {
            let fault = why(&request(model, role)).expect("the call is refused");
            assert!(fault.public.starts_with(path), "{}", fault.public);
        }
    }
}
