//! PostgreSQL, over a connection that is made anew when it is gone.

use super::engine::Engine;
use super::fault::EngineFault;
use super::server::PostgresServer;
use super::server::fault;
use super::value::Row;
use super::value::Value;
use bytes::BytesMut;
use postgres::Client;
use postgres::Statement;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::IsNull;
use postgres::types::ToSql;
use postgres::types::Type;
use postgres::types::to_sql_checked;
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

/// A connection to a server.
pub(super) struct Postgres {
    server: PostgresServer,
    client: Option<Client>,
    /// Those that were prepared on this connection, by their text.
    statements: HashMap<String, Statement>,
    is_within: bool,
}

impl Postgres {
    /// Connects.
    pub(super) fn open(server: &PostgresServer) -> Result<Postgres, EngineFault> {
        let mut opened = Postgres {
            server: server.clone(),
            client: None,
            statements: HashMap::new(),
            is_within: false,
        };
        opened.client()?;
        Ok(opened)
    }

    /// The connection, made anew where it is gone; but not within a transaction, which went with it.
    fn client(&mut self) -> Result<&mut Client, EngineFault> {
        if self.client.as_ref().is_some_and(Client::is_closed) {
            self.client = None;
        }
        if self.client.is_none() {
            self.statements.clear();
            if std::mem::take(&mut self.is_within) {
                return Err(EngineFault::Away("the connection is gone".to_owned()));
            }
            let mut client = self.server.connect()?;
            client.batch_execute(SESSION).map_err(fault)?;
            self.client = Some(client);
        }
        Ok(self
            .client
            .as_mut()
            .expect("it must have been made just now"))
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, EngineFault> {
        self.client()?;
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client()?.prepare(&numbered(sql)).map_err(fault)?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Engine for Postgres {
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, EngineFault> {
        let statement = self.statement(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.client()?.execute(&statement, &values).map_err(fault)
    }

    fn sum_of(&self, column: &str) -> String {
        // A sum of whole numbers is a decimal here.
        format!("CAST(LEAST(SUM({column}), {}) AS BIGINT)", i64::MAX)
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, EngineFault> {
        let statement = self.statement(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        let rows = self.client()?.query(&statement, &values).map_err(fault)?;
        rows.iter().map(read).collect()
    }

    fn batch(&mut self, sql: &str) -> Result<(), EngineFault> {
        let done = self.client()?.batch_execute(sql).map_err(fault);
        if ["COMMIT", "ROLLBACK"].contains(&sql) {
            self.is_within = false;
        }
        done
    }

    fn begin(&mut self) -> Result<(), EngineFault> {
        self.is_within = false;
        self.batch("BEGIN")?;
        self.is_within = true;
        Ok(())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn lock_schema(&mut self) -> Result<(), EngineFault> {
        self.batch(LOCK)
    }
}

/// Calls back at once, at each notification of a channel, and whenever the connection was made anew, until it says that
/// this is enough. It blocks for as long.
pub(super) fn listen(server: &PostgresServer, channel: &str, mut told: impl FnMut() -> bool) {
    while told() {
        if let Err(error) = hear(server, channel, &mut told) {
            tracing::debug!(%error, "changes of other relays are not heard");
        }
        std::thread::park_timeout(LISTEN_RETRY_WAIT);
    }
}

fn hear(
    server: &PostgresServer,
    channel: &str,
    told: &mut impl FnMut() -> bool,
) -> Result<(), EngineFault> {
    let mut client = server.connect()?;
    client
        .batch_execute(&format!("LISTEN {channel}"))
        .map_err(fault)?;
    let mut notifications = client.notifications();
    let mut heard = notifications.blocking_iter();
    // What was told before this connection listened is looked at now.
    while told() && heard.next().map_err(fault)?.is_some() {}
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) if *kind == Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
            Value::Int(number) => number.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT4, Type::INT8, Type::TEXT].contains(kind)
    }

    to_sql_checked!();
}

fn read(row: &postgres::Row) -> Result<Row, EngineFault> {
    let value = |(place, column): (usize, &postgres::Column)| {
        let value = match *column.type_() {
            Type::INT8 => row
                .try_get::<_, Option<i64>>(place)
                .map(|number| number.map(Value::Int)),
            Type::INT4 => row
                .try_get::<_, Option<i32>>(place)
                .map(|number| number.map(|number| Value::Int(number.into()))),
            _ => row
                .try_get::<_, Option<String>>(place)
                .map(|text| text.map(|text| Value::Text(text.into()))),
        };
        Ok(value.map_err(fault)?.unwrap_or(Value::Null))
    };
    let values = row.columns().iter().enumerate().map(value);
    Ok(Row(values.collect::<Result<_, EngineFault>>()?))
}

/// Places are `?1` in our statements, and `$1` in this engine's. No text of ours has a question mark in it.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

/// A statement that takes longer is given up, and a lock that is not to be had as well.
const SESSION: &str = "SET statement_timeout = '15s'; SET lock_timeout = '10s';";
/// Relays that begin at the same time migrate one after the other; the number is this program's alone.
const LOCK: &str = "SELECT pg_advisory_xact_lock(742100421)";
/// Before a connection that only listens is made anew.
const LISTEN_RETRY_WAIT: Duration = Duration::from_millis(500);
/// Statements that are kept ready: there are some twenty, and filters make more.
const STATEMENTS_MAX: usize = 64;
