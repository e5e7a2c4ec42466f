//! `kommuneklient set-aside`.

texts! {
    NOTHING = "set_aside.nothing" { en "nothing is set aside" da "intet er lagt til side" }
    ID = "set_aside.id" { en "ID" da "ID" }
    NOTIFICATION = "set_aside.notification" { en "NOTIFICATION" da "NOTIFIKATION" }
    CREATED = "set_aside.created" { en "created" da "oprettet" }
    MODIFIED = "set_aside.modified" { en "modified" da "ændret" }
    DELETED = "set_aside.deleted" { en "deleted" da "slettet" }
    MOVED = "set_aside.moved" { en "moved" da "flyttet" }
    COPIED = "set_aside.copied" { en "copied" da "kopieret" }
    FREE_BUSY_CHANGED = "set_aside.free_busy_changed" { en "free/busy changed" da "ledig/optaget ændret" }
    SYNC_CHANGE = "set_aside.sync_change" { en "found changed after a gap" da "fundet ændret efter et hul" }
    SYNC_DELETE = "set_aside.sync_delete" { en "found gone after a gap" da "fundet væk efter et hul" }
    SYNC_CHECK = "set_aside.sync_check" { en "to be looked at after a gap" da "skal ses efter et hul" }
    FULL_READ = "set_aside.full_read" { en "full read" da "fuld læsning" }
    WITH_TYPE = "set_aside.with_type" { en "{words} ({type})" da "{words} ({type})" }
    SINCE = "set_aside.since" { en "SINCE" da "SIDEN" }
    TRIES = "set_aside.tries" { en "TRIES" da "FORSØG" }
    WHY = "set_aside.why" { en "WHY" da "HVORFOR" }
    WOULD = "set_aside.would" { en "WOULD" da "VILLE" }
    NEXT = "set_aside.next" {
        en "`kommuneklient set-aside retry --mailbox MAILBOX` tries again what was set aside; what Planner refused is sent
when its decision changes or a comparison says so. `kommuneklient explain MAILBOX ORIGIN-ID` tells what happened with one."
        da "`kommuneklient set-aside retry --mailbox POSTKASSE` forsøger igen med det, der er lagt til side; det, Planner afviste,
sendes, når afgørelsen ændrer sig, eller en sammenligning siger det. `kommuneklient explain POSTKASSE ORIGIN-ID` fortæller, hvad der er sket med én."
    }
    MORE_NOTIFICATIONS = "set_aside.more_notifications" {
        en "only the first {n} notifications are shown" da "kun de første {n} notifikationer vises"
    }
    MORE_APPOINTMENTS = "set_aside.more_appointments" {
        en "only the first {n} appointments are shown" da "kun de første {n} aftaler vises"
    }
    ASIDE = "set_aside.aside" { en "set aside: {why}" da "lagt til side: {why}" }
    REFUSED = "set_aside.refused" {
        en "refused by Planner with code {code}" da "afvist af Planner med kode {code}"
    }
    ONE_NOTIFICATION = "set_aside.one_notification" { en "{n} notification" da "{n} notifikation" }
    NOTIFICATIONS = "set_aside.notifications" { en "{n} notifications" da "{n} notifikationer" }
    RETRIED = "set_aside.retried" {
        en "tried again: {notifications}, {appointments}" da "forsøgt igen: {notifications}, {appointments}"
    }
}
