//! `kommuneklient whitelist`, `blacklist` and `mailbox allow|block`: the lists themselves, and who is on them.

texts! {
    WHITELIST_EMPTY = "lists.whitelist_empty" {
        en "the whitelist is empty: everybody whom Planner lists is used"
        da "hvidlisten er tom: alle, som Planner har på listen, bruges"
    }
    BLACKLIST_EMPTY = "lists.blacklist_empty" {
        en "the blacklist is empty: nobody is blocked" da "sortlisten er tom: ingen er spærret"
    }
    REASON = "lists.reason" { en "REASON" da "BEGRUNDELSE" }
    SINCE = "lists.since" { en "SINCE" da "SIDEN" }
    IN_USE = "lists.in_use" { en "in use" da "i brug" }
    NOT_IN_USE = "lists.not_in_use" { en "not in use" da "ikke i brug" }
    NEVER_LISTED = "lists.never_listed" {
        en "never listed by Planner" da "har aldrig været på Planners liste"
    }
    /// The resource list passes over whoever is blocked, so nobody knows whether Planner lists them.
    BLOCKED = "lists.blocked" { en "blocked" da "spærret" }

    BLOCKED_BY = "lists.blocked_by" {
        en "blocked by {by} {at}: {why}" da "spærret af {by} {at}: {why}"
    }
    ERASED_BY = "lists.erased_by" { en "erased {at} by {by}" da "slettet {at} af {by}" }
    BLOCKED_UNLISTED = "lists.blocked_unlisted" {
        en "blocked, not in use, and nothing else is known of it: the resource list passes over whoever is blocked"
        da "spærret, ikke i brug, og ellers er intet kendt om den: ressourcelisten springer spærrede over"
    }
    WITHDRAWN_UNLISTED = "lists.withdrawn_unlisted" {
        en "{mailbox} is blocked; it was never used here, so nothing is known that could be deleted in Planner. Does Planner hold appointments of it? Then: kommuneklient mailbox unblock {mailbox}; kommuneklient resources refresh --wait; kommuneklient adopt {mailbox} --wait; and mailbox block --withdraw again"
        da "{mailbox} er spærret; den har aldrig været brugt her, så der er intet kendt, der kunne slettes i Planner. Har Planner aftaler for den? Så: kommuneklient mailbox unblock {mailbox}; kommuneklient resources refresh --wait; kommuneklient adopt {mailbox} --wait; og derefter mailbox block --withdraw igen"
    }
    ERASED = "lists.erased" {
        en "the data of {mailbox} was erased {at} by {by}: Planner's list does not bring it back; `kommuneklient erase {mailbox} --undo` ends that"
        da "data for {mailbox} blev slettet {at} af {by}: Planners liste bringer den ikke tilbage; `kommuneklient erase {mailbox} --undo` ophæver det"
    }

    ONE_ENTRY = "lists.one_entry" { en "{n} entry" da "{n} linje" }
    ENTRIES = "lists.entries" { en "{n} entries" da "{n} linjer" }
    ADDED = "lists.added" {
        en "added {entries}; {dropped} not used any more, {revived} used now; the whitelist has {now} now"
        da "tilføjede {entries}; {dropped} bruges ikke mere, {revived} bruges nu; hvidlisten har nu {now}"
    }
    REMOVED = "lists.removed" {
        en "removed {entries}; {dropped} not used any more, {revived} used now; the whitelist has {now} now"
        da "fjernede {entries}; {dropped} bruges ikke mere, {revived} bruges nu; hvidlisten har nu {now}"
    }
    NOT_ON_WHITELIST = "lists.not_on_whitelist" {
        en "{mailbox} was not on the whitelist" da "{mailbox} var ikke på hvidlisten"
    }
    UNLISTED = "lists.unlisted" {
        en "Planner never listed {mailbox}; `kommuneklient resources list` shows whom it lists"
        da "Planner har aldrig haft {mailbox} på listen; `kommuneklient resources list` viser, hvem der er på den"
    }
    STAYS_BLOCKED = "lists.stays_blocked" {
        en "{mailbox} stays unused: it is blocked ({why}), and the blacklist goes before the whitelist; `kommuneklient mailbox unblock {mailbox}` ends that"
        da "{mailbox} bruges fortsat ikke: den er spærret ({why}), og sortlisten går forud for hvidlisten; `kommuneklient mailbox unblock {mailbox}` ophæver det"
    }
    NOBODY_USED = "lists.nobody_used" {
        en "nobody is used now: no mailbox on the whitelist is one that Planner lists"
        da "ingen bruges nu: ingen postkasse på hvidlisten er på Planners liste"
    }

    IMPORTED = "lists.imported" {
        en "added {white} to the whitelist (it has {now} then) and {black} to the blacklist; {dropped} not used any more, {revived} used now"
        da "tilføjede {white} til hvidlisten (som så har {now}) og {black} til sortlisten; {dropped} bruges ikke mere, {revived} bruges nu"
    }
    WOULD_IMPORT = "lists.would_import" {
        en "would add {white} to the whitelist (it has {now} then) and {black} to the blacklist; {dropped} not used any more, {revived} used now"
        da "ville tilføje {white} til hvidlisten (som så har {now}) og {black} til sortlisten; {dropped} bruges ikke mere, {revived} bruges nu"
    }
    ONE_ALREADY = "lists.one_already" {
        en "{n} entry was there already and left as it is" da "{n} linje var der allerede og er uændret"
    }
    ALREADY = "lists.already" {
        en "{n} entries were there already and left as they are" da "{n} linjer var der allerede og er uændrede"
    }
    ONE_REPEATED = "lists.one_repeated" {
        en "{n} row said again what another said" da "{n} række gentog, hvad en anden sagde"
    }
    REPEATED = "lists.repeated" {
        en "{n} rows said again what another said" da "{n} rækker gentog, hvad en anden sagde"
    }
    ONE_NEVER_LISTED = "lists.one_never_listed" {
        en "{n} address Planner never listed: mistyped, or not there yet (`kommuneklient resources list`)"
        da "{n} adresse har aldrig været på Planners liste: forkert stavet eller endnu ikke oprettet dér (`kommuneklient resources list`)"
    }
    MANY_NEVER_LISTED = "lists.many_never_listed" {
        en "{n} addresses Planner never listed: mistyped, or not there yet (`kommuneklient resources list`)"
        da "{n} adresser har aldrig været på Planners liste: forkert stavet eller endnu ikke oprettet dér (`kommuneklient resources list`)"
    }
    ONE_ROW = "lists.one_row" { en "{n} row" da "{n} række" }
    ROWS = "lists.rows" { en "{n} rows" da "{n} rækker" }
    INVALID_WOULD = "lists.invalid_would" {
        en "{rows} cannot be used, so nothing would be changed without --skip-invalid:"
        da "{rows} kan ikke bruges, så intet ville blive ændret uden --skip-invalid:"
    }
    INVALID_WOULD_SKIP = "lists.invalid_would_skip" {
        en "{rows} cannot be used and would be left out:" da "{rows} kan ikke bruges og ville blive udeladt:"
    }
    INVALID_SKIPPED = "lists.invalid_skipped" {
        en "{rows} left out:" da "{rows} udeladt:"
    }
}
