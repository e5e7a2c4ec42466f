//! `kommuneklient doctor MAILBOX`: why are its appointments not in step?

texts! {
    KNOWN = "mailbox.known" { en "Planner knows the mailbox" da "Planner kender postkassen" }
    KNOWN_OK = "mailbox.known.ok" { en "listed since {at}" da "på listen siden {at}" }
    KNOWN_NEVER = "mailbox.known.never" { en "Planner never listed it" da "Planner har aldrig haft den på listen" }
    KNOWN_ERASED = "mailbox.known.erased" {
        en "its data was erased {at} by {by}" da "dens data blev slettet {at} af {by}"
    }
    KNOWN_ERASED_NEXT = "mailbox.known.erased.next" {
        en "kommuneklient erase {mailbox} --undo lets it be listed again"
        da "kommuneklient erase {mailbox} --undo lader den komme på listen igen"
    }
    KNOWN_NEXT = "mailbox.known.next" {
        en "check the spelling; in Planner the employee must have this mail address; then kommuneklient resources refresh --wait"
        da "kontrollér stavemåden; i Planner skal medarbejderen have denne mailadresse; derefter kommuneklient resources refresh --wait"
    }
    USED = "mailbox.used" { en "the mailbox is used" da "postkassen bruges" }
    USED_OK = "mailbox.used.ok" { en "in use" da "i brug" }
    USED_BLOCKED = "mailbox.used.blocked" {
        en "blocked by {by} {at}: {why}" da "spærret af {by} {at}: {why}"
    }
    USED_BLOCKED_NEXT = "mailbox.used.blocked.next" {
        en "kommuneklient mailbox unblock {mailbox}, if that is over"
        da "kommuneklient mailbox unblock {mailbox}, hvis det er forbi"
    }
    USED_WHITELIST = "mailbox.used.whitelist" {
        en "the whitelist does not name it" da "hvidlisten nævner den ikke"
    }
    USED_WHITELIST_NEXT = "mailbox.used.whitelist.next" {
        en "kommuneklient mailbox allow {mailbox}" da "kommuneklient mailbox allow {mailbox}"
    }
    USED_DELETED = "mailbox.used.deleted" { en "not in use since {at}: {why}" da "ikke i brug siden {at}: {why}" }
    USED_DELETED_NEXT = "mailbox.used.deleted.next" {
        en "Planner lists it no more: set the employee up there again, then kommuneklient resources refresh --wait"
        da "Planner har den ikke mere på listen: opret medarbejderen der igen, og derefter kommuneklient resources refresh --wait"
    }
    SYNC = "mailbox.sync" { en "set up for synchronisation in Planner" da "sat op til synkronisering i Planner" }
    SYNC_ASK = "mailbox.sync.ask" { en "cannot be read from here" da "kan ikke læses herfra" }
    SYNC_NEXT = "mailbox.sync.next" {
        en "ask Planner's support whether synchronisation was started for the employee"
        da "spørg Planners support, om synkroniseringen er startet for medarbejderen"
    }
    SYNC_OK = "mailbox.sync.ok" {
        en "Planner has accepted appointments of it, last {at}" da "Planner har accepteret aftaler for den, senest {at}"
    }
    EXISTS = "mailbox.exists" { en "exists in Exchange" da "findes i Exchange" }
    EXISTS_OK = "mailbox.exists.ok" { en "found at {endpoint}, {at}" da "fundet på {endpoint}, {at}" }
    EXISTS_CONFIGURED = "mailbox.exists.configured" {
        en "{endpoint} is configured (exchange.service_url); Exchange was not asked where it is"
        da "{endpoint} er konfigureret (exchange.service_url); Exchange blev ikke spurgt, hvor den er"
    }
    EXISTS_NOT_YET = "mailbox.exists.not_yet" { en "it was not looked for yet" da "der er endnu ikke ledt efter den" }
    EXISTS_NOT = "mailbox.exists.not" { en "{code}: {text}" da "{code}: {text}" }
    EXISTS_NEXT = "mailbox.exists.next" {
        en "who has left is to be deleted in Planner, too; until then kommuneklient mailbox block {mailbox} ends the errors"
        da "den, der er fratrådt, skal også slettes i Planner; indtil da standser kommuneklient mailbox block {mailbox} fejlene"
    }
    READABLE = "mailbox.readable" { en "its calendar can be read" da "dens kalender kan læses" }
    READABLE_OK = "mailbox.readable.ok" {
        en "read in full {at}" da "læst helt {at}"
    }
    READABLE_PARTLY = "mailbox.readable.partly" {
        en "read in full {at}, but some appointments could not be read"
        da "læst helt {at}, men nogle aftaler kunne ikke læses"
    }
    READABLE_PARTLY_NEXT = "mailbox.readable.partly.next" {
        en "kommuneklient explain {mailbox}; an appointment that is broken in Exchange is mended or deleted there"
        da "kommuneklient explain {mailbox}; en aftale, der er beskadiget i Exchange, repareres eller slettes dér"
    }
    READABLE_NOT = "mailbox.readable.not" {
        en "{code}: {text} ({count} in a row, last {at})" da "{code}: {text} ({count} i træk, senest {at})"
    }
    READABLE_NEXT = "mailbox.readable.next" {
        en "check the rights of the service account on it: kommuneklient credential test --mailbox {mailbox}"
        da "kontrollér servicekontoens rettigheder til den: kommuneklient credential test --mailbox {mailbox}"
    }
    READABLE_NO_CALENDAR_NEXT = "mailbox.readable.no_calendar.next" {
        en "give the service account the right to read the calendar, or, if there is none, let the owner open the mailbox once so that Exchange makes it; kommuneklient credential test --mailbox {mailbox} tries it"
        da "giv servicekontoen ret til at læse kalenderen, eller lad, hvis der ingen er, ejeren åbne postkassen én gang, så Exchange opretter den; kommuneklient credential test --mailbox {mailbox} prøver det"
    }
    READABLE_OUTAGE_NEXT = "mailbox.readable.outage.next" {
        en "Exchange was not reached, or did not answer: kommuneklient doctor tells what is wrong; everything is caught up afterwards"
        da "Exchange blev ikke nået eller svarede ikke: kommuneklient doctor fortæller, hvad der er galt; alt indhentes bagefter"
    }
    READABLE_NOT_THERE = "mailbox.readable.not_there" {
        en "there is nothing to read, as long as Exchange does not have it"
        da "der er intet at læse, så længe Exchange ikke har den"
    }
    READABLE_FAILS = "mailbox.readable.fails" {
        en "its full read, asked for {at}, fails: {text}"
        da "dens fulde læsning, bestilt {at}, mislykkes: {text}"
    }
    READABLE_ALERT = "mailbox.readable.alert" {
        en "it cannot be read since {at}: alert {code}" da "den har ikke kunnet læses siden {at}: alarm {code}"
    }
    READABLE_ALERT_MANY = "mailbox.readable.alert_many" {
        en "many mailboxes cannot be read since {at}, perhaps this one, too: alert {code}"
        da "mange postkasser har ikke kunnet læses siden {at}, måske heller ikke denne: alarm {code}"
    }
    READABLE_FAILS_NEXT = "mailbox.readable.fails.next" {
        en "kommuneklient explain {mailbox}; kommuneklient credential test --mailbox {mailbox} tries to read it; it is tried again by itself"
        da "kommuneklient explain {mailbox}; kommuneklient credential test --mailbox {mailbox} prøver at læse den; det forsøges igen af sig selv"
    }
    READABLE_NOT_YET = "mailbox.readable.not_yet" { en "it was not read in full yet" da "den er endnu ikke læst helt" }
    READABLE_NOT_YET_NEXT = "mailbox.readable.not_yet.next" {
        en "kommuneklient pull {mailbox} --wait" da "kommuneklient pull {mailbox} --wait"
    }
    STAGES = "mailbox.stages" { en "the three stages run" da "de tre led kører" }
    STAGES_OK = "mailbox.stages.ok" { en "all of them" da "alle" }
    STAGES_NOT = "mailbox.stages.not" { en "standing still: {names}" da "står stille: {names}" }
    STAGES_NEXT = "mailbox.stages.next" { en "kommuneklient status" da "kommuneklient status" }
    LISTENED = "mailbox.listened" { en "it is listened to" da "der lyttes til den" }
    LISTENED_OK = "mailbox.listened.ok" {
        en "group {group}, since {at}" da "gruppe {group}, siden {at}"
    }
    LISTENED_OPEN = "mailbox.listened.open" {
        en "group {group}, since {at}; its stream is open since {open}"
        da "gruppe {group}, siden {at}; dens strøm har været åben siden {open}"
    }
    LISTENED_NOT_OPEN = "mailbox.listened.not_open" {
        en "the stream of group {group} is not open since {at}: {why}"
        da "strømmen for gruppe {group} har ikke været åben siden {at}: {why}"
    }
    LISTENED_NOT_OPEN_NEXT = "mailbox.listened.not_open.next" {
        en "it is opened again by itself, and everything is caught up then; if this lasts: kommuneklient doctor"
        da "den åbnes igen af sig selv, og så indhentes alt; hvis det varer ved: kommuneklient doctor"
    }
    LISTENED_NO_GROUP = "mailbox.listened.no_group" { en "it has no group" da "den har ingen gruppe" }
    LISTENED_NO_GROUP_NEXT = "mailbox.listened.no_group.next" {
        en "no service account covers it (4933, 4934), or it was not located yet: kommuneklient status"
        da "ingen servicekonto dækker den (4933, 4934), eller den er endnu ikke fundet: kommuneklient status"
    }
    LISTENED_FAILS = "mailbox.listened.fails" {
        en "the stream of group {group} fails since {at}: alert {codes}"
        da "strømmen for gruppe {group} har fejlet siden {at}: alarm {codes}"
    }
    LISTENED_FAILS_NEXT = "mailbox.listened.fails.next" {
        en "kommuneklient doctor tells what is wrong with Exchange, kommuneklient status shows the alerts; everything is caught up afterwards"
        da "kommuneklient doctor fortæller, hvad der er galt med Exchange, kommuneklient status viser alarmerne; alt indhentes bagefter"
    }
    LISTENED_NOT = "mailbox.listened.not" {
        en "it cannot be listened to, tried again {at}" da "der kan ikke lyttes til den, prøves igen {at}"
    }
    LISTENED_NOT_YET = "mailbox.listened.not_yet" {
        en "it has no subscription yet" da "den har endnu intet abonnement"
    }
    LISTENED_REFUSED = "mailbox.listened.refused" {
        en "it has no subscription: Exchange refuses the name or password of the service account (9006)"
        da "den har intet abonnement: Exchange afviser servicekontoens navn eller adgangskode (9006)"
    }
    LISTENED_REFUSED_NEXT = "mailbox.listened.refused.next" {
        en "kommuneklient credential test tries the account, kommuneklient codes 9006 tells more"
        da "kommuneklient credential test prøver kontoen, kommuneklient codes 9006 fortæller mere"
    }
    LISTENED_NEXT = "mailbox.listened.next" {
        en "kommuneklient rediscover {mailbox} tries at once" da "kommuneklient rediscover {mailbox} prøver straks"
    }
    ADOPTED = "mailbox.adopted" { en "adopted from Planner" da "overtaget fra Planner" }
    ADOPTED_OK = "mailbox.adopted.ok" { en "{at}" da "{at}" }
    ADOPTED_NOT = "mailbox.adopted.not" {
        en "what Planner holds was not taken over yet: nothing is sent before"
        da "det, Planner har, er endnu ikke overtaget: før det sendes intet"
    }
    ADOPTED_NEXT = "mailbox.adopted.next" {
        en "it is due by itself; if it lasts, kommuneklient status shows whether calls to Planner fail"
        da "det sker af sig selv; varer det ved, viser kommuneklient status, om kald til Planner fejler"
    }
    NOTIFIED = "mailbox.notified" { en "last notification" da "seneste notifikation" }
    NOTIFIED_OK = "mailbox.notified.ok" { en "{at}, {kind}: {outcome}" da "{at}, {kind}: {outcome}" }
    NOTIFIED_WAITS = "mailbox.notified.waits" { en "{at}, {kind}: waits" da "{at}, {kind}: venter" }
    NOTIFIED_NONE = "mailbox.notified.none" { en "none is recorded" da "ingen er registreret" }
    NOTIFIED_ASIDE = "mailbox.notified.aside" {
        en "set aside: {count}, the last came {at}" da "lagt til side: {count}, den seneste kom {at}"
    }
    NOTIFIED_ASIDE_NEXT = "mailbox.notified.aside.next" {
        en "kommuneklient set-aside list --mailbox {mailbox}" da "kommuneklient set-aside list --mailbox {mailbox}"
    }
    DECIDED = "mailbox.decided" { en "last decision" da "seneste afgørelse" }
    DECIDED_ONE = "mailbox.decided.one" {
        en "{at}; {there} appointment is to be in Planner" da "{at}; {there} aftale skal være i Planner"
    }
    DECIDED_OK = "mailbox.decided.ok" {
        en "{at}; {there} appointments are to be in Planner" da "{at}; {there} aftaler skal være i Planner"
    }
    DECIDED_NONE = "mailbox.decided.none" { en "nothing was decided yet" da "intet er afgjort endnu" }
    PLANNER = "mailbox.planner" { en "Planner can be reached" da "Planner kan nås" }
    SENT = "mailbox.sent" { en "last call and receipt" da "seneste kald og kvittering" }
    SENT_OK = "mailbox.sent.ok" { en "{at}, code {code}: {outcome}" da "{at}, kode {code}: {outcome}" }
    SENT_NONE = "mailbox.sent.none" { en "nothing was sent yet" da "intet er sendt endnu" }
    SENT_UNSENT = "mailbox.sent.unsent" {
        en "{count} to be sent, the oldest since {at}, waits for: {hold}"
        da "{count} skal sendes, den ældste siden {at}, venter på: {hold}"
    }
    SENT_UNSENT_NEXT = "mailbox.sent.unsent.next" {
        en "kommuneklient diff {mailbox}" da "kommuneklient diff {mailbox}"
    }
    SENT_FAILS_NEXT = "mailbox.sent.fails.next" {
        en "kommuneklient doctor tells what is wrong with calls to Planner; Planner's support if it lasts"
        da "kommuneklient doctor fortæller, hvad der er galt med kald til Planner; Planners support, hvis det varer ved"
    }
    SENT_STOPPED = "mailbox.sent.stopped" {
        en "{refused} refused by Planner, {aside} set aside" da "{refused} afvist af Planner, {aside} lagt til side"
    }
    SENT_STOPPED_NEXT = "mailbox.sent.stopped.next" {
        en "kommuneklient set-aside list --mailbox {mailbox}" da "kommuneklient set-aside list --mailbox {mailbox}"
    }
    HELD = "mailbox.held" { en "withheld deletions" da "tilbageholdte sletninger" }
    HELD_NONE = "mailbox.held.none" { en "none" da "ingen" }
    HELD_SOME = "mailbox.held.some" {
        en "waiting for an operator: {count}" da "venter på en operatør: {count}"
    }
    HELD_NEXT = "mailbox.held.next" { en "kommuneklient withheld list" da "kommuneklient withheld list" }
    COMPARED = "mailbox.compared" { en "compared with Planner" da "sammenlignet med Planner" }
    COMPARED_OK = "mailbox.compared.ok" { en "{at}" da "{at}" }
    COMPARED_NOT = "mailbox.compared.not" { en "not yet" da "ikke endnu" }
    COMPARED_NEXT = "mailbox.compared.next" {
        en "kommuneklient compare {mailbox} --wait" da "kommuneklient compare {mailbox} --wait"
    }
}
