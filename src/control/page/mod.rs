//! The dashboard: pages out of typed templates, which escape by themselves; they work without a script.

mod audit;
mod breakers;
mod calls;
mod chart;
mod edit;
mod form;
mod frame;
mod key;
mod limits;
mod look;
mod people;
mod route;
mod rows;
mod save;
mod search;
mod settings;
mod story;
mod table;
mod usage;
mod words;

use super::Plane;
use super::access::Operation;
use super::ask::Actor;
use super::ask::Ask;
use super::live;
use super::rekey;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::trial;
use askama::Template;
use frame::Frame;
use hyper::StatusCode;
use hyper::header;

/// Answers with a page, or sends the browser on to one.
pub(super) async fn serve(plane: &Plane, ask: &Ask) -> Reply {
    let answered = match ask.route.operation {
        Operation::LoginForm => return people::login(plane, ask).await,
        Operation::TestForm => test(plane, ask).await,
        Operation::CallsPage => Ok(calls::calls(plane, ask).await),
        Operation::CallPage => story::call(plane, ask).await,
        Operation::SearchPage => search::search(plane, ask).await,
        Operation::UsagePage => usage::usage(plane, ask).await,
        Operation::AuditPage => Ok(audit::audit(plane, ask).await),
        _ => answer(plane, ask),
    };
    answered.unwrap_or_else(|problem| failed(ask, &problem))
}

fn answer(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    match ask.route.operation {
        Operation::Style => Ok(reply::text("text/css; charset=utf-8", STYLE.to_owned())),
        Operation::Script => Ok(reply::text(
            "text/javascript; charset=utf-8",
            SCRIPT.to_owned(),
        )),
        Operation::Events => live::stream(plane, ask),
        Operation::RekeyForm => rekey::rekey(plane, ask).map(|_| reply::see("/about?done=rekeyed")),
        Operation::LoginPage => Ok(people::login_page(plane, ask)),
        Operation::LogoutForm => Ok(people::logout(plane, ask)),
        Operation::Welcome => Ok(people::welcome(ask)),
        Operation::Overview => Ok(look::overview(plane, ask)),
        Operation::RowsPage(kind) => Ok(rows::rows(plane, ask, kind)),
        Operation::NewPage(kind) => Ok(edit::new(plane, ask, kind)),
        Operation::RowPage(kind) => edit::one(plane, ask, kind, None),
        Operation::RowForm(kind) => save::save(plane, ask, kind),
        Operation::DeletePage(kind) => edit::confirm(plane, ask, kind),
        Operation::DeleteForm(kind) => edit::delete(plane, ask, kind),
        Operation::ValueForm => edit::store(plane, ask),
        Operation::ResetForm => edit::reset(plane, ask),
        Operation::KeysPage => people::keys(plane, ask, people::Minted::default()),
        Operation::KeyForm => people::mint(plane, ask),
        Operation::KeySwitchForm => people::switch(plane, ask),
        Operation::KeyPage => key::show(plane, ask),
        Operation::KeyChangeForm => key::save(plane, ask),
        Operation::KeyRotateForm => key::rotate(plane, ask),
        Operation::KeyDeletePage => people::confirm(plane, ask),
        Operation::KeyDeleteForm => people::delete(plane, ask),
        Operation::Moved(to) => Ok(reply::see(to)),
        Operation::BudgetsPage => limits::budgets(plane, ask),
        Operation::RoutePage => Ok(route::route(plane, ask)),
        Operation::PeoplePage => Ok(people::sessions(plane, ask)),
        Operation::EndForm => people::end(plane, ask),
        Operation::AboutPage => Ok(settings::about(plane, ask, None)),
        Operation::SettingsForm => settings::save(plane, ask),
        _ => Err(Problem::not_found("such page")),
    }
}

async fn test(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let told = trial::host(plane, ask).await?;
    edit::one(plane, ask, crate::catalog::Kind::Host, Some(&told))
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    frame: Frame,
    text: String,
    errors: Vec<String>,
    href: String,
    link: &'static str,
}

/// What was refused before it was known which page it is for.
pub(super) fn refused(problem: &Problem, actor: &Actor, path: &str) -> Reply {
    if problem.status == StatusCode::UNAUTHORIZED {
        return reply::see("/login");
    }
    let frame = |title| Frame::seen_by(actor, path, title);
    if problem.status == StatusCode::NOT_FOUND {
        let told = Problem::not_found("such page");
        return message(frame("Not found"), &told);
    }
    message(frame(title(problem)), problem)
}

fn failed(ask: &Ask, problem: &Problem) -> Reply {
    message(Frame::of(ask, title(problem)), problem)
}

fn message(frame: Frame, problem: &Problem) -> Reply {
    let errors = problem.errors.iter();
    let errors = errors.filter_map(|error| error["message"].as_str().map(str::to_owned));
    let page = Message {
        frame,
        text: problem.detail.clone(),
        errors: errors.collect(),
        href: "/".to_owned(),
        link: "To the overview",
    };
    let mut reply = page_of(problem.status, &page);
    if let Some(wait) = problem.retry_after {
        reply::set(&mut reply, header::RETRY_AFTER, &wait.to_string());
    }
    reply
}

fn title(problem: &Problem) -> &'static str {
    problem
        .status
        .canonical_reason()
        .unwrap_or("It was not done")
}

/// A template as a page. One that cannot be written is a bug, and told as one.
fn page_of(status: StatusCode, template: &impl Template) -> Reply {
    match template.render() {
        Ok(page) => reply::html(status, page),
        Err(error) => Problem::internal(error).reply(),
    }
}

const SCRIPT: &str = include_str!("../templates/live.js");
const STYLE: &str = include_str!("../templates/style.css");
