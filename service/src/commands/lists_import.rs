//! `lists import`: taking over a white- and a blacklist from a file.

use std::fs::File;
use std::io::Read;

use calendar::MailAddress;
use serde_json::json;
use store::resource_list::import::{ListImport, ListImportEnd, ListImported};

use super::error::{Consequence, rows_told};
use super::show::counted_in;
use super::{CommandError, Desk, confirm, lists};
use crate::cli::ListsImportArgs;
use crate::lists_file::{self, FILE_BYTES_MAX, Lists, Reading};
use crate::texts::{Language, lists as t, refusals};

/// Most addresses that are named to people.
const ADDRESSES_TOLD: usize = 20;

/// Takes over the lists of a file.
pub(crate) async fn import(desk: Desk, args: &ListsImportArgs) -> Result<(), CommandError> {
    let lists = read(args)?;
    if !lists.invalid.is_empty() && !args.skip_invalid && !args.dry_run {
        return Err(CommandError::InvalidRows(lists.invalid));
    }
    let by = args.who.name();
    let take = async |sure| {
        let import = ListImport {
            whitelist: &lists.whitelist,
            blacklist: &lists.blacklist,
            by: &by,
            sure,
            rehearsal: args.dry_run,
            now: desk.now(),
        };
        desk.store.import_lists(&import).await
    };
    let mut end = take(args.yes).await?;
    if let ListImportEnd::Refused(would) = &end {
        let (dropped, in_use_before) = (would.dropped, would.in_use_before);
        confirm::sure(Consequence::NotUsed { dropped, in_use_before }, desk.language)?;
        end = take(true).await?;
    }
    let (done, rehearsed) = match end {
        ListImportEnd::Done(done) | ListImportEnd::Refused(done) => (done, false),
        ListImportEnd::Rehearsed(done) => (done, true),
    };
    if !rehearsed && done.whitelisted + done.blocked > 0 {
        let fields = json!({
            "whitelisted": done.whitelisted,
            "blocked": done.blocked,
            "dropped": done.dropped,
            "revived": done.revived,
            "reason": args.reason,
        });
        desk.record(&by, "lists import", fields).await;
    }
    let addresses: Vec<MailAddress> = addresses(&lists);
    let erased = lists::erased(&desk, &addresses).await?;
    let answer = json!({
        "dry_run": rehearsed,
        "whitelisted": done.whitelisted,
        "blocked": done.blocked,
        "dropped": done.dropped,
        "revived": done.revived,
        "in_use_before": done.in_use_before,
        "whitelist_now": done.whitelist_now,
        "never_listed": done.never_listed.len(),
        "never_listed_addresses": done.never_listed,
        "repeated": lists.repeated,
        "invalid": lists.invalid,
    });
    desk.answer(&lists::with_erased(answer, &erased), || {
        let text = text(&lists, &done, rehearsed, args.skip_invalid, desk.language);
        with_erased(text, &erased, desk.language)
    });
    if rehearsed { would_pass(&lists, &done, args) } else { Ok(()) }
}

/// All addresses of the import.
fn addresses(lists: &Lists) -> Vec<MailAddress> {
    let white = lists.whitelist.iter().map(|(mail, _)| mail);
    white.chain(lists.blacklist.iter().map(|(mail, _)| mail)).cloned().collect()
}

/// The text, and below it what is said of those that were erased, one a line; of many the first.
fn with_erased(text: String, erased: &[(String, String)], language: Language) -> String {
    let said: Vec<String> = erased.iter().map(|(_, line)| line.clone()).collect();
    std::iter::once(text).chain(named(&said, language)).collect::<Vec<_>>().join("\n")
}

/// Passes where the import that was rehearsed would be done: a rehearsal ends with the same status.
///
/// # Errors
/// What the import would be refused for.
fn would_pass(lists: &Lists, done: &ListImported, args: &ListsImportArgs) -> Result<(), CommandError> {
    if !lists.invalid.is_empty() && !args.skip_invalid {
        return Err(CommandError::RowsWouldRefuse { count: lists.invalid.len() as u64 });
    }
    if done.surprises && !args.yes {
        let (dropped, in_use_before) = (done.dropped, done.in_use_before);
        return Err(CommandError::NotSure(Consequence::NotUsed { dropped, in_use_before }));
    }
    Ok(())
}

fn read(args: &ListsImportArgs) -> Result<Lists, CommandError> {
    let name = || args.file.display().to_string();
    let unread = |source| CommandError::ReadFile { file: name(), source };
    let mut bytes = Vec::new();
    File::open(&args.file)
        .map_err(unread)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unread(std::io::Error::other(format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20))));
    }
    let reading = Reading { list: args.list, reason: args.reason.as_deref() };
    lists_file::read(&bytes, reading).map_err(|why| CommandError::ListsFile { file: name(), why })
}

/// These addresses, or what is said of them, one a line; of many the first.
fn named(addresses: &[String], language: Language) -> Vec<String> {
    let mut lines: Vec<String> =
        addresses.iter().take(ADDRESSES_TOLD).map(|address| format!("  {address}")).collect();
    if let Some(more) = addresses.len().checked_sub(ADDRESSES_TOLD).filter(|more| *more > 0) {
        lines.push(refusals::MORE_ROWS.fill(language, &[("n", &more)]));
    }
    lines
}

fn text(
    lists: &Lists,
    done: &ListImported,
    rehearsed: bool,
    skip_invalid: bool,
    language: Language,
) -> String {
    let entries = |n: u64| counted_in(language, n, t::ONE_ENTRY, t::ENTRIES);
    let head = if rehearsed { t::WOULD_IMPORT } else { t::IMPORTED };
    let mut lines = vec![head.fill(
        language,
        &[
            ("white", &entries(done.whitelisted)),
            ("now", &done.whitelist_now),
            ("black", &entries(done.blocked)),
            ("dropped", &done.dropped),
            ("revived", &done.revived),
        ],
    )];
    let already = (lists.whitelist.len() + lists.blacklist.len()) as u64 - done.whitelisted - done.blocked;
    let counts = [
        (already, t::ONE_ALREADY, t::ALREADY),
        (lists.repeated, t::ONE_REPEATED, t::REPEATED),
        (done.never_listed.len() as u64, t::ONE_NEVER_LISTED, t::MANY_NEVER_LISTED),
    ];
    let some = counts.into_iter().filter(|(count, ..)| *count > 0);
    lines.extend(some.map(|(count, one, many)| counted_in(language, count, one, many)));
    lines.extend(named(&done.never_listed, language));
    if !lists.invalid.is_empty() {
        let verb = match (rehearsed, skip_invalid) {
            (true, false) => t::INVALID_WOULD,
            (true, true) => t::INVALID_WOULD_SKIP,
            (false, _) => t::INVALID_SKIPPED,
        };
        let rows = counted_in(language, lists.invalid.len() as u64, t::ONE_ROW, t::ROWS);
        lines.push(verb.fill(language, &[("rows", &rows)]));
        lines.extend(rows_told(&lists.invalid, language));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_planner_never_listed_are_named_and_of_many_the_first() {
        let addresses: Vec<String> = (0..22).map(|n| format!("m{n:02}@x.dk")).collect();
        assert_eq!(named(&addresses[..1], Language::En), ["  m00@x.dk"]);
        let told = named(&addresses, Language::En);
        assert_eq!((told.len(), told[19].as_str()), (21, "  m19@x.dk"));
        assert_eq!(told[20], "  and 2 more (--json tells all)");
        let lists = lists_file::read(b"blacklist;m00@x.dk;left\n", Reading::default()).unwrap();
        let done =
            ListImported { blocked: 1, never_listed: vec!["m00@x.dk".into()], ..ListImported::default() };
        let told = text(&lists, &done, true, false, Language::Da);
        assert!(told.contains("1 adresse har aldrig været på Planners liste"), "{told}");
        assert!(told.ends_with("\n  m00@x.dk"), "{told}");
        // who was erased is told as such, and of many the first
        let erased = vec![("m00@x.dk".to_owned(), "the data of m00@x.dk was erased".to_owned()); 21];
        let told = with_erased("head".to_owned(), &erased, Language::En);
        assert!(told.starts_with("head\n  the data of m00@x.dk was erased\n"), "{told}");
        assert_eq!(told.lines().count(), 22, "{told}");
        assert_eq!(with_erased("head".to_owned(), &[], Language::En), "head");
    }
}
