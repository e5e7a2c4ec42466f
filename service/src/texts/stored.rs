//! Words that the stages store in the database in English. What is stored is the English of the text; it is said in the
//! language of whoever asks when it is shown.

texts! {
    /// What became of a notification.
    UNCHANGED = "stored.unchanged" { en "unchanged" da "uændret" }
    CREATED = "stored.created" { en "created" da "oprettet" }
    UPDATED = "stored.updated" { en "updated" da "ændret" }
    DELETED = "stored.deleted" { en "deleted" da "slettet" }
    SEVERAL = "stored.several" { en "several" da "flere ændringer" }
    READ = "stored.read" { en "full read" da "læst helt" }
    READ_IN_PART = "stored.read_in_part" { en "full read in part" da "læst delvist" }
    NOT_IN_USE = "stored.not_in_use" { en "not in use" da "ikke i brug" }
    NO_RESOURCE = "stored.no_resource" { en "no such resource" da "ingen sådan ressource" }

    /// The numbers of that.
    N_FOUND = "stored.n.found" { en "found {n}" da "fandt {n}" }
    N_CREATED = "stored.n.created" { en "created {n}" da "oprettede {n}" }
    N_UPDATED = "stored.n.updated" { en "updated {n}" da "ændrede {n}" }
    N_DELETED = "stored.n.deleted" { en "deleted {n}" da "slettede {n}" }
    N_WITHHELD = "stored.n.withheld" {
        en "deletions withheld {n} of {all}" da "tilbageholdt {n} af {all} sletninger"
    }
    N_UNREADABLE = "stored.n.unreadable" { en "unreadable {n}" da "ulæselige {n}" }
    N_REFUSED = "stored.n.refused" { en "refused by the database {n}" da "afvist af databasen {n}" }

    /// What came of a rediscovery; the code of Exchange follows.
    STILL_NOT = "stored.rediscovered.not" {
        en "it cannot be listened to" da "der kan ikke lyttes til den"
    }
    /// What a comparison found.
    COMPARED_NOTHING = "stored.compared.nothing" { en "nothing to put right" da "intet at rette" }
    COMPARED_LACKING = "stored.compared.lacking" { en "{n} lacking in Planner" da "{n} mangler i Planner" }
    COMPARED_TIMES = "stored.compared.times" {
        en "{n} with other times in Planner" da "{n} med andre tider i Planner"
    }
    COMPARED_ONLY = "stored.compared.only" { en "{n} in Planner only" da "{n} kun i Planner" }
    COMPARED_CORRECTED = "stored.compared.corrected" {
        en "{n} in step already, otherwise than believed" da "{n} allerede i trit, anderledes end antaget"
    }
    COMPARED_LEFT = "stored.compared.left" { en "{n} left alone" da "{n} ikke rørt" }

    /// What ended a withheld run.
    RUN_NEWER = "stored.run.newer" { en "a newer run" da "en nyere kørsel" }
    RUN_NEWER_WITHIN = "stored.run.newer_within" {
        en "a newer run that is within the limits" da "en nyere kørsel inden for grænserne"
    }
    RUN_SEEN_AGAIN = "stored.run.seen_again" {
        en "all its keys were seen again" da "alle dens aftaler blev set igen"
    }
    RUN_LATER_LIST_FEW = "stored.run.later_list_few" {
        en "a later list that lacks few" da "en senere liste, der mangler få"
    }
    RUN_LATER_LIST_OTHERS = "stored.run.later_list_others" {
        en "a later list that lacks others too" da "en senere liste, der også mangler andre"
    }

    /// Why an operation came to nothing.
    NOBODY_IN_USE = "stored.nobody_in_use" {
        en "no such mailbox is in use, so there is nothing to be done"
        da "ingen sådan postkasse er i brug, så der er intet at gøre"
    }

    /// What a fetch of the resource list came to.
    LIST_EMPTY = "stored.list.empty" {
        en "planner returned no resources, the last good list stays"
        da "Planner svarede uden ressourcer, den sidste gode liste bliver stående"
    }
    LIST_FAILED = "stored.list.failed" {
        en "failed, it is tried again" da "mislykkedes, den forsøges igen"
    }
    LIST_N = "stored.list.n" { en "{n} listed" da "{n} på listen" }
    LIST_NEW = "stored.list.new" { en "{n} new" da "{n} nye" }
    LIST_AGAIN = "stored.list.again" { en "{n} used again" da "{n} bruges igen" }
    LIST_DROPPED = "stored.list.dropped" { en "{n} not used any more" da "{n} bruges ikke mere" }
    LIST_WITHHELD = "stored.list.withheld" { en "{n} missing, withheld" da "{n} mangler, tilbageholdt" }
    LIST_TWICE = "stored.list.twice" {
        en "{n} addresses listed twice, skipped" da "{n} adresser på listen to gange, sprunget over"
    }
    LIST_ONE_TWICE = "stored.list.one_twice" {
        en "{n} address listed twice, skipped" da "{n} adresse på listen to gange, sprunget over"
    }
    LIST_UNUSABLE = "stored.list.unusable" {
        en "{n} without a usable address, skipped" da "{n} uden brugbar adresse, sprunget over"
    }
    LIST_UNREADABLE = "stored.list.unreadable" {
        en "{n} that cannot be read, skipped" da "{n} der ikke kan læses, sprunget over"
    }
    LIST_PART = "stored.list.part" {
        en "{n} of which a part cannot be read, used without it"
        da "{n} hvor en del ikke kan læses, brugt uden den"
    }
}
