//! `kommuneklient operations`, and the commands that ask for one.

texts! {
    ID = "operations.id" { en "ID" da "ID" }
    WHAT = "operations.what" { en "WHAT" da "HVAD" }
    MAILBOXES = "operations.mailboxes" { en "MAILBOXES" da "POSTKASSER" }
    DONE = "operations.done" { en "DONE" da "UDFØRT" }
    ASKED_AT = "operations.asked_at" { en "ASKED AT" da "BESTILT" }
    WAITING = "operations.waiting" { en "WAITING" da "VENTER" }
    WHY = "operations.why" { en "WHY" da "HVORFOR" }
    EMPTY = "operations.empty" { en "nothing was asked for yet" da "der er endnu ikke bestilt noget" }
    EVERY_MAILBOX = "operations.all" { en "all" da "alle" }
    IN_TURN = "operations.in_turn" { en "in turn" da "venter på sin tur" }

    FULL_PULL = "operations.full_pull" { en "full pull" da "fuld læsning" }
    COMPARISON = "operations.comparison" { en "comparison" da "sammenligning" }
    ADOPTION = "operations.adoption" { en "adoption" da "overtagelse" }
    RESOURCE_LIST = "operations.resource_list" { en "resource list" da "ressourceliste" }
    REDISCOVERY = "operations.rediscovery" { en "rediscovery" da "ny lokalisering" }
    RESEND = "operations.resend" { en "resend" da "genafsendelse" }
    CONFIRMATION = "operations.confirmation" { en "confirmation" da "bekræftelse" }
    REJECTION = "operations.rejection" { en "rejection" da "afvisning" }

    UNUSED = "operations.unused" { en "NOT USED ANY MORE" da "BRUGES IKKE MERE" }
    IS_BLOCKED = "operations.is_blocked" { en "{mail} is blocked ({why})" da "{mail} er spærret ({why})" }
    IS_UNUSED = "operations.is_unused" {
        en "{mail} is not used any more ({why})" da "{mail} bruges ikke mere ({why})"
    }
    NOBODY_LEFT = "operations.nobody_left" {
        en "none of the mailboxes that were meant is used any more"
        da "ingen af de postkasser, der var ment, bruges mere"
    }

    STATE_FAILED = "operations.state.failed" { en "failed" da "mislykket" }
    STATE_DONE = "operations.state.done" { en "done" da "udført" }
    STATE_WAITING = "operations.state.waiting" { en "waiting" da "venter" }

    NOBODY_RUNS = "operations.nobody_runs" {
        en "no instance of the service is running; it is done when one starts"
        da "ingen instans af tjenesten kører; det udføres, når en starter"
    }
    ASKED = "operations.asked" {
        en "operation {id} is asked for: {what} ({of}); `kommuneklient operations {id}` shows how far it is"
        da "operation {id} er bestilt: {what} ({of}); `kommuneklient operations {id}` viser, hvor langt den er"
    }
    FOLLOWED = "operations.followed" {
        en "operation {id} is asked for; who stops waiting here does not stop it"
        da "operation {id} er bestilt; den stopper ikke, fordi man holder op med at vente her"
    }
    IS_DONE = "operations.is_done" {
        en "operation {id} is done: {what} ({of})" da "operation {id} er udført: {what} ({of})"
    }
    ONE_WITHHELD = "operations.one_withheld" {
        en "{n} deletion is withheld by the mass-delete guard and waits for somebody who decides: kommuneklient withheld list"
        da "{n} sletning er tilbageholdt af vagten mod massesletning og venter på en, der afgør den: kommuneklient withheld list"
    }
    WITHHELD = "operations.withheld" {
        en "{n} deletions are withheld by the mass-delete guard and wait for somebody who decides: kommuneklient withheld list"
        da "{n} sletninger er tilbageholdt af vagten mod massesletning og venter på en, der afgør dem: kommuneklient withheld list"
    }
    FROM_PLANNER = "operations.from_planner" { en "from Planner" da "fra Planner" }
}
