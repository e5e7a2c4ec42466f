//! How the stream of an affinity group stands, for all that show it.

texts! {
    OPEN = "stream.open" { en "open since {at}" da "åben siden {at}" }
    NOT_OPEN = "stream.not_open" { en "not open since {at}: {why}" da "ikke åben siden {at}: {why}" }
    OF_CODE = "stream.of_code" { en "{why} ({code})" da "{why} ({code})" }
    BEGUN = "stream.begun" { en "it was not opened yet" da "den er endnu ikke åbnet" }
    CLOSED = "stream.closed" { en "Exchange ended it as planned" da "Exchange afsluttede den som planlagt" }
    NOT_SERVED = "stream.not_served" {
        en "Exchange does not serve some of its subscriptions" da "Exchange betjener ikke nogle af dens abonnementer"
    }
    AWAY = "stream.away" { en "Exchange cannot open it now" da "Exchange kan ikke åbne den nu" }
    FAILED = "stream.failed" { en "it was refused or broke off" da "den blev afvist eller afbrudt" }
    SILENT = "stream.silent" { en "nothing came for too long" da "der kom intet i alt for lang tid" }
    /// What a newer version calls it.
    OTHER = "stream.other" { en "{what}" da "{what}" }
    WITHDRAWN = "stream.withdrawn" { en "its mailboxes change" da "dens postkasser ændres" }
}
