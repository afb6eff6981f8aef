//! The steps of `setup`, one after the other.

use super::asker::Asker;
use super::snippet::KeyText;
use super::snippet::snippet;
use super::snippet::variables;
use crate::cli::args::Setup;
use crate::cli::auth_report::AuthReport;
use crate::cli::check::Check;
use crate::cli::check::Install;
use crate::cli::check::State;
use crate::cli::client::Client;
use crate::cli::client::Listener;
use crate::cli::doctor;
use crate::cli::out;
use crate::cli::probe;
use crate::cli::run::CommandOutcome;
use crate::cli::run::block_on;
use crate::cli::run::warn;
use crate::cli::running;
use crate::cli::service::Service;
use crate::cli::service::boot_hint;
use crate::clock;
use crate::config::Config;
use crate::config::Env;
use crate::service::Standing;
use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

pub(crate) fn setup(args: &Setup, env: &Env) -> anyhow::Result<CommandOutcome> {
    let asker = Asker::of(args)?;
    let config = running::config(&args.query.place, env)?;
    warn(&config);
    let mut wizard = Wizard {
        args,
        env,
        asker,
        config,
        colours: out::has_colours(env.no_color()),
        checks: Vec::new(),
        steps: 0,
    };
    wizard.greet()?;
    if wizard.claude()? {
        wizard.call()?;
        wizard.service()?;
        wizard.license()?;
        wizard.program()?;
    }
    wizard.end()
}

/// The way through the steps, and what was seen on it.
struct Wizard<'a> {
    args: &'a Setup,
    env: &'a Env,
    asker: Asker,
    config: Config,
    colours: bool,
    checks: Vec<Check>,
    steps: u32,
}

impl Wizard<'_> {
    fn greet(&self) -> anyhow::Result<()> {
        self.say(concat!(
            "inference-relay ",
            env!("CARGO_PKG_VERSION"),
            ": setup\n\n",
            "This finds your claude, tries a call through it, and shows how a program uses it.\n",
            "Nothing is sent or installed before you say so. Ctrl-C stops it; it can be run again.",
        ))
    }

    /// Which claude there is, and whether it can be driven; `false`: there is nothing to go on with.
    fn claude(&mut self) -> anyhow::Result<bool> {
        self.step("Claude Code")?;
        let installs = loop {
            let installs = doctor::installs(self.config.session.command.clone(), self.env);
            for (place, install) in installs.iter().enumerate() {
                self.say(&format!("   {}. {}", place + 1, described(install)))?;
            }
            let check = doctor::claude(&installs, self.env);
            let state = check.state;
            if state == State::Good {
                break installs;
            }
            self.show(&check)?;
            if !self.asker.tries_again()? {
                self.checks.push(check);
                return Ok(false);
            }
        };
        let chosen = self.chosen(installs)?;
        self.found(doctor::claude(std::slice::from_ref(&chosen), self.env))?;
        let support = doctor::support(std::slice::from_ref(&chosen), &self.config)?;
        let is_driven = support
            .as_ref()
            .is_none_or(|check| check.state != State::Bad);
        self.found_all(support)?;
        Ok(is_driven)
    }

    /// The one that sessions are to run: the configured one, the only one, or the one that the user picks.
    fn chosen(&mut self, mut installs: Vec<Install>) -> anyhow::Result<Install> {
        let may_choose = installs.len() > 1 && self.config.session.command.is_none();
        let place = if may_choose {
            self.asker
                .choice("Which one shall the relay run?", installs.len())?
        } else {
            0
        };
        let install = installs.swap_remove(place);
        if place > 0 {
            self.name_command(&install.path)?;
        }
        Ok(install)
    }

    /// Writes the choice into a configuration of its own; what the user wrote is the user's to change.
    fn name_command(&mut self, program: &Path) -> anyhow::Result<()> {
        let text = program.display().to_string();
        let line = format!("command = {}", Value::from(text));
        let file = &self.config.file;
        if self.config.file_found {
            self.say(&format!(
                "   Put this line under [claude] in {}, which is yours to edit:\n\n       {line}\n",
                file.display()
            ))?;
        } else {
            let folder = file.parent().context("a file lies in a folder")?;
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(file, format!("[claude]\n{line}\n")))
                .with_context(|| format!("{} cannot be written", file.display()))?;
            self.say(&format!("   Written into {}.", file.display()))?;
        }
        // The calls of this setup run it already.
        self.config.session.command = Some(program.to_owned());
        Ok(())
    }

    /// The login and the whole way, by one small turn.
    fn call(&mut self) -> anyhow::Result<()> {
        self.step("A first call")?;
        self.say("   It asks the model for two words, which costs a few tokens of your plan.")?;
        if self.args.no_call || !self.asker.agrees("Try it now?")? {
            return self.found_all(doctor::turn(None));
        }
        let checks = loop {
            let listener = self.listener()?;
            let flown = block_on(probe::fly(self.config.clone(), self.env, listener))?;
            let checks = doctor::turn(Some(flown));
            let is_well = checks.iter().all(|check| check.state != State::Bad);
            if is_well {
                break checks;
            }
            for check in &checks {
                self.show(check)?;
            }
            if !self.asker.tries_again()? {
                self.checks.extend(checks);
                return Ok(());
            }
        };
        self.found_all(checks)
    }

    /// A daemon that is there after the next login, too.
    fn service(&mut self) -> anyhow::Result<()> {
        self.step("The service")?;
        let service = Service::of(&self.args.query.place, self.env)?;
        let standing = service.standing();
        if let Standing::Running { .. } = standing {
            return self.found(Check::new("service", State::Good, "it runs already"));
        }
        let listener = self.listener()?;
        if !matches!(listener, Listener::Nobody) {
            let taken = doctor::port(self.address(), &listener);
            return self.found_all(taken);
        }
        if let Err(error) = service.greet() {
            let check = Check::new("service", State::Note, format!("not possible: {error:#}"));
            return self.found(check.next("run `inference-relay serve`"));
        }
        self.say(&format!(
            "   The relay can start whenever you log in, as a {}:\n   {}",
            service.manager().name(),
            service.manager().file().display()
        ))?;
        let wanted = !self.args.no_service && self.asker.agrees("Install and start it?")?;
        let check = if !wanted {
            Check::new("service", State::Note, "left out").next("run `inference-relay serve`")
        } else {
            match service.install().and_then(|()| service.start()) {
                Ok(()) => Check::new(
                    "service",
                    State::Good,
                    format!("it answers on {}", self.url()),
                ),
                Err(error) => Check::new("service", State::Bad, format!("{error:#}"))
                    .next("mend that, then run `inference-relay service install`"),
            }
        };
        let runs = check.state == State::Good;
        self.found(check)?;
        match boot_hint(service.manager(), self.env) {
            Some(hint) if runs => self.found(Check::new("service", State::Note, hint)),
            Some(_) | None => Ok(()),
        }
    }

    /// The licence, where the running daemon was given an authority to ask.
    fn license(&mut self) -> anyhow::Result<()> {
        let client = Client::new(&self.config, self.env);
        let told = block_on(async { client.get("/v1/license").await })?;
        let told = match told {
            Ok(reply) if reply.body["configured"] == true => reply.body,
            Ok(_) | Err(_) => return Ok(()),
        };
        self.step("The licence")?;
        self.found(license(&told["license"]))
    }

    fn program(&mut self) -> anyhow::Result<()> {
        self.step("Your program")?;
        let needs = AuthReport::look(&self.config, clock::unix_ms()).of_program();
        self.found_all(needs)?;
        self.say(&snippet(&self.url(), self.key(), cfg!(windows)))
    }

    fn end(&self) -> anyhow::Result<CommandOutcome> {
        let bad = self.checks.iter().find(|check| check.state == State::Bad);
        let next = self.next();
        if self.args.query.json {
            let variables = variables(&self.url(), self.key());
            let variables = variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()));
            out::json(&json!({
                "ok": bad.is_none(),
                "steps": self.checks.iter().map(Check::machine).collect::<Vec<_>>(),
                "env": Value::Object(variables.collect()),
                "next": next,
            }))?;
        }
        let word = if bad.is_none() {
            "Done."
        } else {
            "Not everything is well yet."
        };
        self.say(&format!("{word}\nnext: {next}"))?;
        Ok(if bad.is_none() {
            CommandOutcome::Done
        } else {
            CommandOutcome::Failed
        })
    }

    fn next(&self) -> String {
        let of = |state| {
            let mut checks = self.checks.iter().filter(move |check| check.state == state);
            checks.find_map(|check| check.next.clone())
        };
        of(State::Bad)
            .or_else(|| of(State::Note))
            .unwrap_or_else(|| "inference-relay ask \"Say hello.\"".to_owned())
    }

    /// What a program shows as its key.
    fn key(&self) -> KeyText {
        let report = AuthReport::look(&self.config, clock::unix_ms());
        match report.of_program() {
            Some(_) => KeyText::Yours,
            None => KeyText::Any,
        }
    }

    fn listener(&self) -> anyhow::Result<Listener> {
        let client = Client::new(&self.config, self.env);
        block_on(async { client.listener().await })
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.config.server.host, self.config.server.port)
    }

    fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    fn found_all(&mut self, checks: impl IntoIterator<Item = Check>) -> anyhow::Result<()> {
        checks.into_iter().try_for_each(|check| self.found(check))
    }

    /// Shows what was seen, and keeps it.
    fn found(&mut self, check: Check) -> anyhow::Result<()> {
        self.show(&check)?;
        self.checks.push(check);
        Ok(())
    }

    fn show(&self, check: &Check) -> anyhow::Result<()> {
        let word = check.state.painted(check.state.word(), self.colours);
        self.say(&format!("   {word}: {}: {}", check.name, check.text))?;
        match (&check.next, check.state) {
            (Some(next), State::Bad | State::NotChecked) => self.say(&format!("   next: {next}")),
            (Some(_) | None, _) => Ok(()),
        }
    }

    fn step(&mut self, title: &str) -> anyhow::Result<()> {
        self.steps += 1;
        self.say(&format!("\n{}. {title}", self.steps))
    }

    /// Tells a person; a program gets one object at the end.
    fn say(&self, text: &str) -> anyhow::Result<()> {
        if !self.args.query.json {
            out::line(text)?;
        }
        Ok(())
    }
}

fn described(install: &Install) -> String {
    let version = match &install.version {
        Ok(version) => version.clone(),
        Err(problem) => format!("({problem})"),
    };
    format!("{}  {version}", install.path.display())
}

fn license(told: &Value) -> Check {
    let tier = told["tier"].as_str().unwrap_or("no tier named");
    match (told["valid"].as_bool(), told["capExceeded"].as_bool()) {
        (Some(true), Some(true)) => Check::new("licence", State::Bad, "the monthly cap is reached")
            .next("top it up: what `/v1/license` says names where"),
        (Some(true), _) => Check::new("licence", State::Good, format!("valid: {tier}")),
        (Some(false) | None, _) => Check::new("licence", State::Bad, "it is not valid")
            .next("put your key into settings.json as `licenseKey`, then restart the daemon"),
    }
}
