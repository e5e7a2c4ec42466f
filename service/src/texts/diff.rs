//! `kommuneklient diff`.

texts! {
    WOULD = "diff.would" { en "WOULD" da "VILLE" }
    PLANNER_HOLDS = "diff.planner_holds" { en "PLANNER HOLDS" da "PLANNER HAR" }
    WAITS_FOR = "diff.waits_for" { en "WAITS FOR" da "VENTER PÅ" }
    CREATE = "diff.create" { en "create" da "oprette" }
    UPDATE = "diff.update" { en "update" da "ændre" }
    DELETE = "diff.delete" { en "delete" da "slette" }
    HELD_NOTHING = "diff.held_nothing" { en "nothing" da "intet" }
    HELD_UNKNOWN = "diff.held_unknown" { en "not known" da "ukendt" }
    NOTHING = "diff.none" {
        en "Planner holds what it should: nothing is to be sent" da "Planner har, hvad den skal have: intet skal sendes"
    }
    /// While deletions are withheld, appointments refused or set aside, notifications set aside, mailboxes still to be compared,
    /// or the mailbox is not in use.
    NOTHING_NOW = "diff.nothing_now" { en "nothing is to be sent" da "intet skal sendes" }
    ONE_TO_COMPARE = "diff.one_to_compare" {
        en "{n} mailbox is still to be compared with Planner, which may find more"
        da "{n} postkasse mangler endnu at blive sammenlignet med Planner, og det kan vise mere"
    }
    TO_COMPARE = "diff.to_compare" {
        en "{n} mailboxes are still to be compared with Planner, which may find more"
        da "{n} postkasser mangler endnu at blive sammenlignet med Planner, og det kan vise mere"
    }
    ONE_WITHHELD = "diff.one_withheld" {
        en "{n} deletion is withheld ({runs}): kommuneklient withheld list"
        da "{n} sletning er tilbageholdt ({runs}): kommuneklient withheld list"
    }
    WITHHELD = "diff.withheld" {
        en "{n} deletions are withheld ({runs}): kommuneklient withheld list"
        da "{n} sletninger er tilbageholdt ({runs}): kommuneklient withheld list"
    }
    ONE_REFUSED = "diff.one_refused" {
        en "Planner refused {n} appointment: kommuneklient set-aside list"
        da "Planner afviste {n} aftale: kommuneklient set-aside list"
    }
    REFUSED = "diff.refused" {
        en "Planner refused {n} appointments: kommuneklient set-aside list"
        da "Planner afviste {n} aftaler: kommuneklient set-aside list"
    }
    ONE_ASIDE = "diff.one_aside" {
        en "{n} appointment is set aside: kommuneklient set-aside list"
        da "{n} aftale er lagt til side: kommuneklient set-aside list"
    }
    ASIDE = "diff.aside" {
        en "{n} appointments are set aside: kommuneklient set-aside list"
        da "{n} aftaler er lagt til side: kommuneklient set-aside list"
    }
    ONE_NOTIFICATION_ASIDE = "diff.one_notification_aside" {
        en "{n} notification is set aside, so what it tells of was not decided: kommuneklient set-aside list"
        da "{n} notifikation er lagt til side, så det, den melder, er ikke afgjort: kommuneklient set-aside list"
    }
    NOTIFICATIONS_ASIDE = "diff.notifications_aside" {
        en "{n} notifications are set aside, so what they tell of was not decided: kommuneklient set-aside list"
        da "{n} notifikationer er lagt til side, så det, de melder, er ikke afgjort: kommuneklient set-aside list"
    }
    /// Of one mailbox that is not in use.
    UNUSED = "diff.unused" {
        en "{mailbox}: {why}. A mailbox that is not in use is not followed, and nothing is sent for it but the deletions of a withdrawal"
        da "{mailbox}: {why}. En postkasse, der ikke er i brug, følges ikke, og der sendes intet for den ud over en tilbagetræknings sletninger"
    }
    ONE_RUN = "diff.one_run" { en "run {runs}" da "kørsel {runs}" }
    RUNS = "diff.runs" { en "runs {runs}" da "kørsler {runs}" }
    MORE = "diff.more" { en "{n} of {all}; --limit shows more" da "{n} af {all}; --limit viser flere" }
    PLANNER_FAILS = "diff.planner_fails" {
        en "calls to Planner fail, the last at {at}{why}; they are tried again, and kommuneklient doctor tries the way there"
        da "kald til Planner mislykkes, senest {at}{why}; de forsøges igen, og kommuneklient doctor prøver vejen dertil"
    }
    DRY_RUN = "diff.dry_run" {
        en "planner.dry_run is set: nothing is sent" da "planner.dry_run er sat: intet sendes"
    }
    FILE_REHEARSES = "diff.file_rehearses" {
        en "this configuration sets planner.dry_run, but the instance that runs was started without it and SENDS: restart it"
        da "denne konfiguration sætter planner.dry_run, men den instans, der kører, er startet uden og SENDER: genstart den"
    }
    FILE_SENDS = "diff.file_sends" {
        en "this configuration does not set planner.dry_run, but the instance that runs was started with it: restart it to send"
        da "denne konfiguration sætter ikke planner.dry_run, men den instans, der kører, er startet med: genstart den for at sende"
    }
    MIXED = "diff.mixed" {
        en "some instances have planner.dry_run set and others SEND: give all of them the same configuration"
        da "nogle instanser har planner.dry_run sat, og andre SENDER: giv dem alle samme konfiguration"
    }
}
