//! `kommuneklient explain`.

texts! {
    WHEN = "explain.when" { en "WHEN" da "HVORNÅR" }
    WHAT = "explain.what" { en "WHAT" da "HVAD" }
    NOTHING = "explain.nothing" {
        en "nothing is recorded in this time; --since goes further back"
        da "der er ikke noteret noget i dette tidsrum; --since går længere tilbage"
    }
    MORE = "explain.more" {
        en "only the latest {n} entries; --limit shows more" da "kun de seneste {n} linjer; --limit viser flere"
    }
    /// The decision that stands is told beyond the limit.
    MORE_AND_DECISION = "explain.more_and_decision" {
        en "only the latest {n} entries, and before them the decision that stands; --limit shows more"
        da "kun de seneste {n} linjer, og før dem den afgørelse, der gælder; --limit viser flere"
    }
    NOW = "explain.now" { en "now: {state}" da "nu: {state}" }
    ONE_NOTIFICATION_ASIDE = "explain.one_notification_aside" {
        en "{n} notification of it is set aside, so what it tells of was not decided: kommuneklient set-aside list --mailbox {mailbox}"
        da "{n} notifikation for den er lagt til side, så det, den melder, er ikke afgjort: kommuneklient set-aside list --mailbox {mailbox}"
    }
    NOTIFICATIONS_ASIDE = "explain.notifications_aside" {
        en "{n} notifications of it are set aside, so what they tell of was not decided: kommuneklient set-aside list --mailbox {mailbox}"
        da "{n} notifikationer for den er lagt til side, så det, de melder, er ikke afgjort: kommuneklient set-aside list --mailbox {mailbox}"
    }
    UNKNOWN = "explain.unknown" {
        en "nothing is known of such an appointment. Planner is told of what is shown as {busy} and touches the days from {start} to {end}; what is free, cancelled, of today only or beyond that is neither told nor stored, and what is over is removed after a while"
        da "en sådan aftale er ikke kendt. Planner får besked om det, der vises som {busy} og berører dagene fra {start} til {end}; det, der er ledigt, aflyst, kun i dag eller senere end det, meldes og gemmes ikke, og det, der er forbi, fjernes efter en tid"
    }

    THE_CREATION = "explain.the_creation" { en "the creation" da "oprettelsen" }
    THE_UPDATE = "explain.the_update" { en "the update" da "ændringen" }
    THE_DELETION = "explain.the_deletion" { en "the deletion" da "sletningen" }
    A_CALL = "explain.a_call" { en "a call" da "et kald" }

    NEW_ITEM = "explain.new_item" { en "Exchange: an item is new" da "Exchange: et element er nyt" }
    CHANGED_ITEM = "explain.changed_item" { en "Exchange: an item changed" da "Exchange: et element er ændret" }
    GONE_ITEM = "explain.gone_item" { en "Exchange: an item is gone" da "Exchange: et element er væk" }
    MOVED_ITEM = "explain.moved_item" { en "Exchange: an item moved" da "Exchange: et element er flyttet" }
    COPIED_ITEM = "explain.copied_item" { en "Exchange: an item was copied" da "Exchange: et element er kopieret" }
    FREE_BUSY = "explain.free_busy" {
        en "Exchange: the free/busy time of an item changed" da "Exchange: et elements ledig/optaget-tid er ændret"
    }
    CAUGHT_CHANGE = "explain.caught_change" {
        en "catch-up: an item is new or changed" da "indhentning: et element er nyt eller ændret"
    }
    CAUGHT_DELETE = "explain.caught_delete" { en "catch-up: an item is gone" da "indhentning: et element er væk" }
    CAUGHT_CHECK = "explain.caught_check" {
        en "catch-up: an item is to be checked" da "indhentning: et element skal kontrolleres"
    }
    FULL_READ = "explain.full_read" { en "the whole window is to be read" da "hele vinduet skal læses" }
    OTHER_KIND = "explain.other_kind" {
        en "a notification of the kind {kind}" da "en notifikation af typen {kind}"
    }
    NOTIFIED = "explain.notified" { en "{what} (notification {id})" da "{what} (notifikation {id})" }
    HANDLED = "explain.handled" { en "notification {id} handled: {outcome}" da "notifikation {id} behandlet: {outcome}" }
    HANDLED_LATE = "explain.handled_late" {
        en "notification {id} handled after {failures}: {outcome}"
        da "notifikation {id} behandlet efter {failures}: {outcome}"
    }
    ONE_FAILURE = "explain.one_failure" { en "{n} failure" da "{n} fejl" }
    FAILURES = "explain.failures" { en "{n} failures" da "{n} fejl" }
    ONE_TIME = "explain.one_time" { en "{n} time" da "{n} gang" }
    TIMES = "explain.times" { en "{n} times" da "{n} gange" }
    FAILING = "explain.failing" {
        en "notification {id} failed {times}, tried again" da "notifikation {id} mislykkedes {times}, forsøges igen"
    }
    PUT_OFF = "explain.put_off" {
        en "notification {id} is put off, tried again" da "notifikation {id} er udsat, forsøges igen"
    }
    ASIDE = "explain.aside" {
        en "notification {id} failed {times}, set aside" da "notifikation {id} mislykkedes {times}, lagt til side"
    }

    ACCEPTED = "explain.accepted" { en "accepted" da "accepteret" }
    CONVERTED = "explain.converted" {
        en "the other way round it is asked next (create or update)"
        da "næste gang bruges det andet kald (opret eller ændr)"
    }
    OWN = "explain.own" {
        en "it is Planner's own appointment, never sent again" da "det er Planners egen aftale, den sendes aldrig igen"
    }
    NOT_NOW = "explain.not_now" { en "not now, it is sent again" da "ikke nu, den sendes igen" }
    REFUSED = "explain.refused" {
        en "refused, not sent again until the decision changes"
        da "afvist, sendes ikke igen, før afgørelsen ændrer sig"
    }
    SET_ASIDE = "explain.set_aside" { en "set aside" da "lagt til side" }
    OPEN = "explain.open" {
        en "nobody knows whether it was done, it is sent again" da "ingen ved, om det blev gjort, den sendes igen"
    }
    UNSURE = "explain.unsure" { en "it was hardly done, it is sent again" da "det blev næppe gjort, den sendes igen" }
    UNSENT = "explain.unsent" { en "it never reached Planner" da "det nåede aldrig frem til Planner" }

    LISTED = "explain.listed" {
        en "Planner listed the mailbox for the first time" da "Planner havde postkassen på listen for første gang"
    }
    NOT_USED = "explain.not_used" { en "not used any more: {why}" da "bruges ikke mere: {why}" }
    BLOCKED = "explain.blocked" { en "{by} blocked the mailbox: {why}" da "{by} spærrede postkassen: {why}" }
    ALLOWED = "explain.allowed" {
        en "{by} put the mailbox on the whitelist" da "{by} satte postkassen på hvidlisten"
    }
    WITHDRAWN = "explain.withdrawn" {
        en "{by} withdrew its appointments from Planner" da "{by} trak dens aftaler tilbage fra Planner"
    }
    LOCATED = "explain.located" { en "located at {endpoint}" da "lokaliseret på {endpoint}" }
    LISTENED = "explain.listened" { en "listening began (the last time)" da "lytningen begyndte (seneste gang)" }
    NOT_LISTENED = "explain.not_listened" {
        en "cannot be listened to, {times} in a row: {code}" da "der kan ikke lyttes til den, {times} i træk: {code}"
    }
    NOT_LISTENED_UNTRIED = "explain.not_listened_untried" {
        en "cannot be listened to: {code}" da "der kan ikke lyttes til den: {code}"
    }
    ADOPTED = "explain.adopted" { en "what Planner holds was taken over" da "det, Planner har, blev overtaget" }
    READ_PARTLY = "explain.read_partly" {
        en "the whole window was read, but some appointments in it could not be read"
        da "hele vinduet blev læst, men nogle aftaler i det kunne ikke læses"
    }
    READ = "explain.read" { en "the whole window was read" da "hele vinduet blev læst" }
    COMPARED = "explain.compared" { en "compared with what Planner holds" da "sammenlignet med det, Planner har" }
    ASKED = "explain.asked" {
        en "{by} asked for: {what} (operation {id})" da "{by} bestilte: {what} (operation {id})"
    }
    ASKED_ALL = "explain.asked_all" {
        en "{by} asked for: {what} of all mailboxes in use then (operation {id})"
        da "{by} bestilte: {what} for alle postkasser, der da var i brug (operation {id})"
    }
    EVENT = "explain.event" { en "event {id} ({severity}): {message}" da "hændelse {id} ({severity}): {message}" }
    ACTED = "explain.acted" { en "{by} did: {act}" da "{by} udførte: {act}" }
    NOT_BUSY = "explain.not_busy" {
        en "it is gone from the calendar, cancelled, or not shown as busy"
        da "den er væk fra kalenderen, aflyst eller ikke vist som optaget"
    }
    TOO_EARLY = "explain.too_early" {
        en "it ends before {at}, from when on Planner is kept in step (today's are left alone)"
        da "den slutter før {at}, hvorfra Planner holdes ajour (dagens aftaler røres ikke)"
    }
    TOO_LATE = "explain.too_late" {
        en "it begins after {at}, up to when Planner is kept in step"
        da "den begynder efter {at}, hvortil Planner holdes ajour"
    }
    NEXT_DRY_RUN = "explain.next.dry_run" {
        en "planner.dry_run is set: it is not sent" da "planner.dry_run er sat: den sendes ikke"
    }
    NEXT_PLANNER_FAILS = "explain.next.planner_fails" {
        en "it waits for calls to Planner that work again: the last failed at {at}{why}"
        da "den venter på, at kald til Planner lykkes igen: det seneste mislykkedes {at}{why}"
    }
    A_FULL_READ = "explain.a_full_read" { en "a full read" da "en fuld læsning" }
    A_COMPARISON = "explain.a_comparison" { en "a comparison" da "en sammenligning" }
    WITHHELD = "explain.withheld" {
        en "{n} of {all} deletions found by {source} were withheld (run {run}, {state})"
        da "{n} af {all} sletninger fundet ved {source} blev tilbageholdt (kørsel {run}, {state})"
    }

    SETTLED = "explain.settled" {
        en "the deletions that run {run} withheld: {settled}" da "sletningerne, som kørsel {run} tilbageholdt: {settled}"
    }

    BY_PULL = "explain.by_pull" { en "a full read or comparison" da "en fuld læsning eller sammenligning" }
    BY_PULL_OR_WITHDRAWAL = "explain.by_pull_or_withdrawal" {
        en "a full read, comparison or withdrawal" da "en fuld læsning, sammenligning eller tilbagetrækning"
    }
    BY_WITHDRAWAL = "explain.by_withdrawal" { en "the withdrawal of the mailbox ({who})" da "tilbagetrækningen af postkassen ({who})" }
    BY_CHANGE = "explain.by_change" { en "a live change" da "en løbende ændring" }
    TO_HOLD = "explain.to_hold" { en "Planner is to hold it" da "Planner skal have den" }
    NOT_TO_HOLD = "explain.not_to_hold" { en "Planner is not to hold it" da "Planner skal ikke have den" }
    DECIDED = "explain.decided" {
        en "decided by {by}: {verdict} ({origin}, version {version})"
        da "afgjort ved {by}: {verdict} ({origin}, version {version})"
    }
    OVERRULED = "explain.overruled" { en "{decision}, overruled at {at}" da "{decision}, afløst {at}" }
    CALLED = "explain.called" {
        en "call {call} to Planner with {appointments} ({id})" da "kald {call} til Planner med {appointments} ({id})"
    }
    CALLED_ABOUT = "explain.called_about" {
        en "call {call} to Planner about {mailboxes} ({id})" da "kald {call} til Planner om {mailboxes} ({id})"
    }
    CALL_ANSWERED = "explain.call_answered" { en "call {call} answered" da "kald {call} besvaret" }
    CALL_FAILED = "explain.call_failed" { en "call {call} failed" da "kald {call} mislykkedes" }
    OF_EVENT = "explain.of_event" { en " (event {id})" da " (hændelse {id})" }
    THEIR_NUMBER = "explain.their_number" { en ", Planner's number {id}" da ", Planners nummer {id}" }
    UNDER_WAY = "explain.under_way" {
        en "{what} of {origin} is under way, its answer is waited for until {at}"
        da "{what} af {origin} er i gang, svaret afventes indtil {at}"
    }
    RECEIPT = "explain.receipt" { en "receipt {code}" da "kvittering {code}" }
    NO_RECEIPT = "explain.no_receipt" { en "no receipt" da "ingen kvittering" }
    ANSWERED = "explain.answered" {
        en "{receipt} for {what} of {origin} ({times}, version {version}): {outcome}"
        da "{receipt} for {what} af {origin} ({times}, version {version}): {outcome}"
    }

    IS_WANTED = "explain.is_wanted" { en "it is to be in Planner" da "den skal være i Planner" }
    IS_UNWANTED = "explain.is_unwanted" { en "it is not to be in Planner" da "den skal ikke være i Planner" }
    IS_UNDECIDED = "explain.is_undecided" {
        en "nothing was decided about it, it is known from Planner alone"
        da "der er ikke afgjort noget om den, den er kun kendt fra Planner"
    }
    /// After [`IS_WANTED`] or [`IS_UNDECIDED`], where a withheld deletion was rejected.
    KEPT = "explain.kept" {
        en "{decided}, although the calendar lacks it: {by} rejected its deletion (run {run})"
        da "{decided}, skønt den mangler i kalenderen: {by} afviste at slette den (kørsel {run})"
    }
    /// After [`IS_UNWANTED`].
    KEPT_UNWANTED = "explain.kept_unwanted" {
        en "{decided}, but {by} rejected its deletion (run {run})"
        da "{decided}, men {by} afviste at slette den (kørsel {run})"
    }
    HOLDS_NOT = "explain.holds_not" { en "Planner does not hold it" da "Planner har den ikke" }
    HOLDS_SOME = "explain.holds_some" {
        en "Planner holds it, with times that are not known" da "Planner har den, men tiderne kendes ikke"
    }
    HOLDS = "explain.holds" { en "Planner holds it" da "Planner har den" }
    NEXT_OWN = "explain.next.own" {
        en "it is Planner's own, and nothing is sent for it" da "den er Planners egen, og der sendes intet for den"
    }
    NEXT_REFUSED = "explain.next.refused" {
        en "Planner refused it with receipt code {code}: it is sent again when it changes or a comparison says so"
        da "Planner afviste den med kvitteringskode {code}: den sendes igen, når den ændrer sig, eller en sammenligning siger det"
    }
    NEXT_ASIDE = "explain.next.aside" {
        en "it was set aside ({why}); `kommuneklient resend {mailbox}` tries it again"
        da "den er lagt til side ({why}); `kommuneklient resend {mailbox}` forsøger igen"
    }
    NEXT_WITHHELD = "explain.next.withheld" {
        en "its deletion is withheld until an operator decides: `kommuneklient withheld list`"
        da "dens sletning er tilbageholdt, til en operatør afgør det: `kommuneklient withheld list`"
    }
    NEXT_IN_CALL = "explain.next.in_call" { en "it is in a call now" da "den er i et kald nu" }
    NEXT_NOTHING = "explain.next.nothing" { en "nothing is to be sent" da "intet skal sendes" }
    NEXT_NOT_USED = "explain.next.not_used" {
        en "the difference is not sent, since the mailbox is not in use"
        da "forskellen sendes ikke, da postkassen ikke er i brug"
    }
    NEXT_UNREADY = "explain.next.unready" {
        en "it is sent when the mailbox was adopted and read in full"
        da "den sendes, når postkassen er overtaget og læst helt"
    }
    NEXT_AT = "explain.next.at" { en "it is sent again at {at}" da "den sendes igen {at}" }
    NEXT_TURN = "explain.next.turn" { en "it is sent when its turn comes" da "den sendes, når det bliver dens tur" }
}
