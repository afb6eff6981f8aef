//! Usage as CSV, for spreadsheets and scripts. `[pure]`

use crate::catalog::Nanos;
use crate::store::UsageRecord;
use crate::store::UsageSums;
use std::time::Duration;
use std::time::UNIX_EPOCH;

/// Records, a line each, below a line of names. `key` makes the name of a relay key's id.
pub(crate) fn calls(records: &[UsageRecord], key: impl Fn(&str) -> String) -> String {
    let mut text = format!("{CALL_COLUMNS}\n");
    for record in records {
        text.push_str(&call(record, &key(&record.relay_key)));
        text.push('\n');
    }
    text
}

const CALL_COLUMNS: &str = "id,at,key,policy,lane,host,host_key,model,served,input,output,cache_read,cache_write,reasoning,\
    cost,currency,estimate,status,code,attempts,first_byte_ms,total_ms,bytes_in,bytes_out,stream,left";

fn call(record: &UsageRecord, key: &str) -> String {
    let count = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
    let cost = record.cost_nanos.map(|nanos| Nanos(nanos).to_string());
    let at = (record.at_ms / 1000).min(YEAR_9999);
    [
        cell(&record.id),
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(at)).to_string(),
        cell(key),
        cell(&record.policy),
        cell(&record.lane),
        cell(&record.host),
        cell(&record.host_key),
        cell(&record.model),
        cell(&record.served),
        count(record.input_tokens),
        count(record.output_tokens),
        count(record.cache_read_tokens),
        count(record.cache_write_tokens),
        count(record.reasoning_tokens),
        cost.unwrap_or_default(),
        cell(&record.currency),
        record.is_estimate.to_string(),
        count(record.status.map(u64::from)),
        cell(&record.code),
        record.attempts.to_string(),
        count(record.first_byte_ms),
        record.total_ms.to_string(),
        count(record.bytes_in),
        count(record.bytes_out),
        record.is_stream.to_string(),
        record.is_left.to_string(),
    ]
    .join(",")
}

/// Sums by name, a line each, below a line of names. What was paid in a further currency is a line of its own, whose other
/// numbers are 0: the sum of a column is right.
pub(crate) fn sums(rows: &[(String, UsageSums)]) -> String {
    let mut text =
        "name,calls,left,unpriced,input,output,cache_read,cache_write,reasoning,cost,currency\n"
            .to_owned();
    for (name, sums) in rows {
        let numbers = [
            sums.calls,
            sums.left_calls,
            sums.unpriced,
            sums.input_tokens,
            sums.output_tokens,
            sums.cache_read_tokens,
            sums.cache_write_tokens,
            sums.reasoning_tokens,
        ];
        let mut line = |numbers: [u64; 8], cost: String| {
            let numbers = numbers.map(|number| number.to_string()).join(",");
            text.push_str(&format!("{},{numbers},{cost}\n", cell(name)));
        };
        let costs = sums.costs.iter();
        let mut costs =
            costs.map(|(currency, nanos)| format!("{},{}", Nanos(*nanos), cell(currency)));
        line(numbers, costs.next().unwrap_or_else(|| ",".to_owned()));
        costs.for_each(|cost| line([0; 8], cost));
    }
    text
}

/// What it cost, in each currency.
pub(crate) fn costs(sums: &UsageSums) -> String {
    let costs = sums.costs.iter();
    let costs = costs.map(|(currency, nanos)| format!("{} {currency}", Nanos(*nanos)));
    costs.collect::<Vec<_>>().join(" + ")
}

/// A text as a cell. One that begins as a formula does is none in a spreadsheet; nor is a part of it, where a spreadsheet
/// takes another sign than the comma for the end of a cell.
fn cell(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut is_begin = true;
    for c in text.chars() {
        if is_begin
            && matches!(
                c,
                '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠'
            )
        {
            plain.push('\'');
        }
        // Blanks of each kind, what is not seen, and quotes before a formula are taken away by some.
        is_begin = match c {
            '"'
            | '\''
            | '\u{ad}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'
            | '\u{feff}' => is_begin,
            ',' | ';' | '|' | '\u{2028}' | '\u{2029}' => true,
            c => c.is_control() || c.is_whitespace() && is_begin,
        };
        plain.push(c);
    }
    match plain.contains([',', ';', '"', '\n', '\r', '\t']) {
        true => format!("\"{}\"", plain.replace('"', "\"\"")),
        false => plain,
    }
}

/// The last second that a stamp can tell.
const YEAR_9999: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=1+1", "'=1+1"),
            (" =1", " '=1"),
            ("@a", "'@a"),
            (";=1", "\";'=1\""),
            ("\u{b}=1", "\u{b}'=1"),
            ("\u{a0}=1", "\u{a0}'=1"),
            ("\u{feff}\u{3000}=1", "\u{feff}\u{3000}'=1"),
            ("a\u{2028}=1", "a\u{2028}'=1"),
            ("a =1", "a =1"),
            ("a;+1;-b", "\"a;'+1;'-b\""),
            ("a\t=1", "\"a\t'=1\""),
            ("a-b=c", "a-b=c"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn a_cost_is_a_number_beside_its_currency() {
        let of = |costs: &[(&str, u64)]| UsageSums {
            calls: 2,
            costs: costs
                .iter()
                .map(|(name, nanos)| ((*name).to_owned(), *nanos))
                .collect(),
            ..UsageSums::default()
        };
        let rows = [
            ("free".to_owned(), of(&[])),
            (
                "m".to_owned(),
                of(&[("EUR", 1_000_000_000), ("USD", 1_352_500)]),
            ),
        ];
        let text = sums(&rows);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "free,2,0,0,0,0,0,0,0,,",
                "m,2,0,0,0,0,0,0,0,1,EUR",
                "m,0,0,0,0,0,0,0,0,0.0013525,USD",
            ]
        );
    }

    #[test]
    fn a_record_has_as_many_cells_as_there_are_columns() {
        let text = calls(&[UsageRecord::default()], str::to_owned);
        let counts: Vec<usize> = text.lines().map(|line| line.matches(',').count()).collect();
        assert_eq!(counts.len(), 2);
        assert_eq!(counts[0], counts[1], "{text}");
    }
}
