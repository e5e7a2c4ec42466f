//! `kommuneklient mailbox`.

texts! {
    KIND = "one.kind_heading" { en "KIND" da "TYPE" }
    LISTENED_HEADING = "one.listened_heading" { en "LISTENED TO SINCE" da "LYTTET TIL SIDEN" }
    ADOPTED_HEADING = "one.adopted_heading" { en "ADOPTED" da "OVERTAGET" }
    READ_HEADING = "one.read_heading" { en "READ IN FULL" da "LÆST HELT" }
    NOBODY_LISTED = "one.nobody_listed" { en "Planner has listed nobody yet" da "Planner har endnu ikke haft nogen på listen" }
    THERE_IS_NONE = "one.there_is_none" { en "there is none" da "der er ingen" }
    ONE_STREAM_FAILS = "one.one_stream_fails" {
        en "the stream of group {groups} fails, so none of its mailboxes is listened to: kommuneklient status"
        da "strømmen for gruppe {groups} fejler, så der lyttes ikke til nogen af dens postkasser: kommuneklient status"
    }
    STREAMS_FAIL = "one.streams_fail" {
        en "the streams of groups {groups} fail, so none of their mailboxes is listened to: kommuneklient status"
        da "strømmene for grupperne {groups} fejler, så der lyttes ikke til nogen af deres postkasser: kommuneklient status"
    }
    SUM = "one.sum" { en "{used} in use, {all} in all" da "{used} i brug, {all} i alt" }
    BLOCKED_SINCE = "one.blocked_since" {
        en "blocked, not in use since {at}" da "spærret, ikke i brug siden {at}"
    }

    LABEL_MAILBOX = "one.mailbox" { en "mailbox" da "postkasse" }
    LABEL_NAME = "one.name" { en "name" da "navn" }
    LABEL_KIND = "one.kind" { en "kind" da "type" }
    LABEL_STATE = "one.state" { en "state" da "tilstand" }
    CASE_WORKER = "one.case_worker" { en "case worker" da "sagsbehandler" }
    ROOM = "one.room" { en "room" da "lokale" }

    LABEL_BLOCKED = "one.blocked" { en "blocked" da "spærret" }
    BLOCKED = "one.blocked_by" { en "{why} (by {by}, {at})" da "{why} (af {by}, {at})" }
    LABEL_WITHDRAWN = "one.withdrawn" { en "withdrawn" da "trukket tilbage" }
    WITHDRAWN = "one.withdrawn_by" { en "by {by}, {at}" da "af {by}, {at}" }
    LABEL_WHITELIST = "one.whitelist" { en "whitelist" da "hvidliste" }
    NO_WHITELIST = "one.no_whitelist" { en "no whitelist: everybody is used" da "ingen hvidliste: alle bruges" }
    ON_WHITELIST = "one.on_whitelist" { en "on it" da "på den" }
    OFF_WHITELIST = "one.off_whitelist" { en "not on it" da "ikke på den" }
    LABEL_LISTED = "one.listed" { en "listed since" da "på listen siden" }

    LABEL_PLACE = "one.place" { en "lives at" da "ligger på" }
    PLACE = "one.place_is" { en "{endpoint} ({group}), found {at}" da "{endpoint} ({group}), fundet {at}" }
    PLACE_DOUBTED = "one.place_doubted" {
        en "{endpoint} ({group}, in doubt), found {at}" da "{endpoint} ({group}, usikkert), fundet {at}"
    }
    /// What it is grouped by where the configuration alone says so; stored as "configured".
    CONFIGURED = "one.configured" { en "configured" da "konfigureret" }
    NOT_LOCATED = "one.not_located" { en "not located yet" da "endnu ikke lokaliseret" }
    LABEL_SUBSCRIPTION = "one.subscription" { en "subscription" da "abonnement" }
    LABEL_STREAM = "one.stream" { en "its stream" da "dens strøm" }
    NO_GROUP = "one.no_group" { en "no group" da "ingen gruppe" }
    SUBSCRIBED = "one.subscribed" { en "group {group}, subscribed" da "gruppe {group}, med abonnement" }
    NOT_SUBSCRIBED = "one.not_subscribed" { en "group {group}, not subscribed" da "gruppe {group}, uden abonnement" }
    LABEL_LISTENED = "one.listened" { en "listened to since" da "lyttet til siden" }
    LABEL_CAUGHT_UP = "one.caught_up" { en "changes read to the end" da "ændringer læst til ende" }
    LABEL_ERROR = "one.error" { en "error" da "fejl" }
    ERROR = "one.error_is" {
        en "{code}: {text} ({n} in a row, last at {at}, {next})" da "{code}: {text} ({n} i træk, senest {at}, {next})"
    }
    TRIED_AT = "one.tried_at" { en "tried again at {at}" da "forsøges igen {at}" }
    TRIED_NOW = "one.tried_now" { en "tried again at once" da "forsøges igen straks" }

    LABEL_ADOPTED = "one.adopted" { en "adopted" da "overtaget" }
    NOT_YET = "one.not_yet" { en "not yet" da "endnu ikke" }
    LABEL_READ = "one.read" { en "read in full" da "læst helt" }
    READ_PARTLY = "one.read_partly" {
        en "{at} (some appointments could not be read)" da "{at} (nogle aftaler kunne ikke læses)"
    }
    LABEL_COMPARED = "one.compared" { en "compared" da "sammenlignet" }
    LABEL_COMPARED_NEXT = "one.compared_next" { en "compared next" da "sammenlignes næste gang" }
    LABEL_APPOINTMENTS = "one.appointments" { en "appointments" da "aftaler" }
    LABEL_NOTIFICATIONS = "one.notifications" { en "notifications" da "notifikationer" }
    N_THERE = "one.n.there" { en "{n} there" da "{n} findes" }
    N_HELD = "one.n.held" { en "{n} held by Planner" da "{n} hos Planner" }
    N_UNSENT = "one.n.unsent" { en "{n} to be sent" da "{n} skal sendes" }
    N_IN_CALL = "one.n.in_call" { en "{n} in a call" da "{n} i et kald" }
    N_ASIDE = "one.n.aside" { en "{n} set aside" da "{n} lagt til side" }
    N_REFUSED = "one.n.refused" { en "{n} refused" da "{n} afvist" }
    N_OWN = "one.n.own" { en "{n} Planner's own" da "{n} Planners egne" }
    N_WITHHELD = "one.n.withheld" { en "{n} with their deletion withheld" da "{n} med tilbageholdt sletning" }
    N_WAITING = "one.n.waiting" { en "{n} waiting" da "{n} venter" }

    LABEL_LAST_NOTIFICATION = "one.last_notification" { en "last notification" da "seneste notifikation" }
    STILL_WAITS = "one.still_waits" { en "waits" da "venter" }
    /// Stored in English.
    NOTIFICATION_ASIDE = "one.notification_aside" { en "set aside" da "lagt til side" }
    LABEL_LAST_DECISION = "one.last_decision" { en "last decision" da "seneste afgørelse" }
    DECIDED_THERE = "one.decided_there" { en "{at} there, {origin}" da "{at} skal være der, {origin}" }
    DECIDED_ABSENT = "one.decided_absent" { en "{at} absent, {origin}" da "{at} skal ikke være der, {origin}" }
    LABEL_LAST_CALL = "one.last_call" { en "last call" da "seneste kald" }
    UNDER_WAY = "one.under_way" { en "{at} {call}: under way" da "{at} {call}: i gang" }
    WORKED = "one.worked" { en "{at} {call}: worked" da "{at} {call}: lykkedes" }
    FAILED = "one.failed" { en "{at} {call}: failed" da "{at} {call}: mislykkedes" }
    LABEL_LAST_RECEIPT = "one.last_receipt" { en "last receipt" da "seneste kvittering" }
    RECEIPT = "one.receipt" { en "{at} code {code}: {outcome}" da "{at} kode {code}: {outcome}" }
    NO_CODE = "one.no_code" { en "none" da "ingen" }

    WITHDRAWN_ONE = "one.withdrawn_one" {
        en "{mailbox} is blocked; {n} appointment is to be deleted in Planner, `kommuneklient diff {mailbox}` shows what is left of it"
        da "{mailbox} er spærret; {n} aftale skal slettes i Planner, `kommuneklient diff {mailbox}` viser, hvad der er tilbage"
    }
    WITHDRAWN_MANY = "one.withdrawn_many" {
        en "{mailbox} is blocked; {n} appointments are to be deleted in Planner, `kommuneklient diff {mailbox}` shows what is left of it"
        da "{mailbox} er spærret; {n} aftaler skal slettes i Planner, `kommuneklient diff {mailbox}` viser, hvad der er tilbage"
    }
    WITHDRAWN_UNKNOWN = "one.withdrawn_unknown" {
        en "its adoption was still to be done, for the first time or anew: appointments that Planner holds and that are not known here stay there"
        da "dens overtagelse manglede endnu, første gang eller på ny: aftaler, som Planner har, og som ikke er kendt her, bliver stående"
    }
    NEVER_LISTED = "one.never_listed" { en "Planner never listed it" da "Planner har aldrig haft den på listen" }
    ALLOWED_NOW = "one.allowed_now" { en "{mailbox} is on the whitelist now" da "{mailbox} er nu på hvidlisten" }
    ALLOWED_BEFORE = "one.allowed_before" {
        en "{mailbox} was on the whitelist already" da "{mailbox} var allerede på hvidlisten"
    }
    OTHER_DROPPED = "one.other_dropped" {
        en "; {n} other mailbox is not used any more" da "; {n} anden postkasse bruges ikke mere"
    }
    OTHERS_DROPPED = "one.others_dropped" {
        en "; {n} other mailboxes are not used any more" da "; {n} andre postkasser bruges ikke mere"
    }
    BLOCKED_DROPPED = "one.blocked_dropped" {
        en "{mailbox} is blocked: it is not used any more; its appointments stay in Planner"
        da "{mailbox} er spærret: den bruges ikke mere; dens aftaler bliver stående i Planner"
    }
    BLOCKED_UNUSED = "one.blocked_unused" {
        en "{mailbox} is blocked: it was not in use" da "{mailbox} er spærret: den var ikke i brug"
    }
    BLOCKED_AGAIN = "one.blocked_again" {
        en "{mailbox} is blocked: it was blocked already, the reason is the new one"
        da "{mailbox} er spærret: det var den i forvejen, grunden er den nye"
    }
    UNBLOCKED = "one.unblocked" {
        en "{mailbox} is not blocked any more; the resource list is asked for, with which it comes back if Planner lists it"
        da "{mailbox} er ikke spærret mere; ressourcelisten er bestilt, og med den kommer postkassen tilbage, hvis Planner har den på listen"
    }
    NOT_BLOCKED = "one.not_blocked" { en "{mailbox} was not blocked" da "{mailbox} var ikke spærret" }
}
