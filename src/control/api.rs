//! From a route to its handler.

use super::Plane;
use super::access::Act;
use super::access::Operation;
use super::ask::Ask;
use super::breaker;
use super::key;
use super::limits;
use super::login;
use super::openapi;
use super::page;
use super::rekey;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::route;
use super::row;
use super::set;
use super::setting;
use super::system;
use super::trial;
use super::usage;
use super::value;

/// Answers a request that was let in.
pub(super) async fn serve(plane: &Plane, ask: Ask) -> Reply {
    let is_page = !ask.route.is_api();
    if is_page {
        return page::serve(plane, &ask).await;
    }
    match answer(plane, &ask).await {
        Ok(reply) => reply,
        Err(problem) => problem.reply(),
    }
}

async fn answer(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    match ask.route.operation {
        Operation::Version => Ok(system::version()),
        Operation::Health => Ok(system::health(plane)),
        Operation::Ready => Ok(system::ready(plane)),
        Operation::OpenApi => Ok(reply::data(&openapi::document())),
        Operation::Login => login::by_json(plane, ask).await,
        Operation::Logout => Ok(login::out(plane, ask)),
        Operation::Me => Ok(login::me(ask)),
        Operation::Row(Act::List, kind) => row::list(plane, ask, kind),
        Operation::Row(Act::Show, kind) => row::show(plane, ask, kind),
        Operation::Row(Act::Put, kind) => row::put(plane, ask, kind),
        Operation::Row(Act::Delete, kind) => row::delete(plane, ask, kind),
        Operation::TestHost => trial::host(plane, ask).await.map(|told| reply::data(&told)),
        Operation::SetValue => value::set_value(plane, ask),
        Operation::ResetKey => breaker::reset_one(plane, ask),
        Operation::Breakers => Ok(reply::data(
            &serde_json::json!({ "items": breaker::list(plane) }),
        )),
        Operation::ResetAll => Ok(breaker::reset_all(plane, ask)),
        Operation::Keys => key::list(plane, ask),
        Operation::MintKey => key::mint(plane, ask),
        Operation::ChangeKey => key::change(plane, ask),
        Operation::RotateKey => key::rotate(plane, ask),
        Operation::DeleteKey => key::delete(plane, ask),
        Operation::Sessions => Ok(login::sessions(plane)),
        Operation::EndSession => login::end(plane, ask),
        Operation::Lanes => Ok(reply::data(&system::lanes(plane))),
        Operation::Rekey => rekey::rekey(plane, ask).map(|told| reply::data(&told)),
        Operation::Settings => Ok(setting::show(plane)),
        Operation::ChangeSettings => setting::patch(plane, ask),
        Operation::Problems => Ok(set::problems(plane)),
        Operation::Export => set::export(plane, ask),
        Operation::Diff => set::diff(plane, ask).await,
        Operation::Apply => set::apply(plane, ask).await,
        _ => looked_up(plane, ask).await,
    }
}

/// What was done, spent and refused, and where a call would go.
async fn looked_up(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    match ask.route.operation {
        Operation::Budgets => limits::list(plane, ask),
        Operation::Refused => Ok(usage::refused_list(plane)),
        Operation::Usage => usage::records(plane, ask).await,
        Operation::UsageSummary => usage::summary(plane, ask).await,
        Operation::UsageSeries => usage::series(plane, ask).await,
        Operation::Call => usage::story(plane, ask.name())
            .await
            .map(|call| reply::data(&call)),
        Operation::Route => route::explained(plane, ask).map(|told| reply::data(&told)),
        Operation::Audit => system::audit(plane, ask).await,
        _ => Err(Problem::not_found("such route")),
    }
}
