//! `kommuneklient codes` and docs/event-codes.md.

texts! {
    CODE = "codes.code" { en "CODE" da "KODE" }
    SOURCE = "codes.source" { en "SOURCE" da "KILDE" }
    SEVERITY = "codes.severity" { en "SEVERITY" da "ALVOR" }
    ALERTS = "codes.alerts" { en "ALERTS" da "ALARM" }
    MEANING = "codes.meaning" { en "MEANING" da "BETYDNING" }
    LABEL_REACTION = "codes.label.reaction" { en "reaction" da "reaktion" }
    LABEL_ALERTS = "codes.label.alerts" { en "alerts" da "alarm" }
    LABEL_ENDS = "codes.label.ends" { en "over" da "forbi" }
    LABEL_CRITICAL = "codes.label.critical" { en "critical" da "kritisk" }
    CRITICAL = "codes.critical" { en "yes: somebody is called, at night too" da "ja: nogen tilkaldes, også om natten" }
    LABEL_LOOK = "codes.label.look" { en "look at" da "se på" }
    LABEL_RUN = "codes.label.run" { en "run" da "kør" }
    /// Words of a command that are to be replaced.
    FILE = "codes.file" { en "FILE" da "FIL" }
    RUN = "codes.run" { en "RUN" da "KØRSEL" }
    LABEL_OCCURS = "codes.label.occurs" { en "here" da "her" }
    TOLD_AS = "codes.told_as" { en "told as {codes}: {why}" da "meldes som {codes}: {why}" }
    NEVER = "codes.never" { en "cannot occur: {why}" da "kan ikke forekomme: {why}" }
    NOT_RAISED = "codes.not_raised" { en "not raised here" da "forekommer ikke her" }
    LABEL_WHERE = "codes.label.where" { en "where it came" da "hvor den kom" }
    WHERE = "codes.where" {
        en "field event_id of the log, table application_log, metric kommuneklient_events_total"
        da "feltet event_id i loggen, tabellen application_log, metrikken kommuneklient_events_total"
    }
    UNKNOWN = "codes.unknown" {
        en "there is no event {id}; the nearest are {nearest}. `kommuneklient codes` lists all"
        da "hændelsen {id} findes ikke; de nærmeste er {nearest}. `kommuneklient codes` viser alle"
    }
}
