//! Sentences of ours in the causes that the stages store, or that a call ended with: in English where they are stored, in the
//! language of whoever asks where they are shown. What stands between them comes from elsewhere.

texts! {
    CONVERTED_TWICE = "cause.aside.converted_twice" {
        en "planner denied having it and not having it for the same decision"
        da "Planner afviste både at have den og ikke at have den, for samme afgørelse"
    }
    NOT_NOW_TOO_OFTEN = "cause.aside.not_now" {
        en "planner said \"not now\" too often"
        da "Planner svarede for ofte \"ikke nu\""
    }
    FAILS_ALONE = "cause.aside.fails_alone" {
        en "its calls to planner failed too often while others succeeded"
        da "dens kald til Planner mislykkedes for ofte, mens andres lykkedes"
    }
    UNSENDABLE = "cause.aside.unsendable" {
        en "its identifier or times cannot be written in a message to planner"
        da "dens id eller tider kan ikke skrives i en besked til Planner"
    }
    CALENDAR_UNREAD = "cause.calendar_unread" {
        en "the calendar cannot be read"
        da "kalenderen kan ikke læses"
    }
    NOT_LOCATED = "cause.not_located" {
        en "it is not known yet where the mailbox lives"
        da "det er endnu ukendt, hvor postkassen ligger"
    }
    READ_TOO_LONG = "cause.read_too_long" {
        en "reading the calendar took longer than {n} s"
        da "det tog længere end {n} s at læse kalenderen"
    }
    STORE_FAILED = "cause.store_failed" { en "the store failed" da "databasen svigtede" }
    PANICKED = "cause.panicked" { en "handling panicked" da "behandlingen brød sammen" }
    NO_CONNECTION = "cause.planner.no_connection" {
        en "no connection to planner"
        da "ingen forbindelse til Planner"
    }
    IN_NO_TIME = "cause.planner.in_no_time" {
        en "planner did not answer in time"
        da "Planner svarede ikke i tide"
    }
    BROKEN = "cause.planner.broken" {
        en "the connection to planner broke"
        da "forbindelsen til Planner blev afbrudt"
    }
    TOO_LATE = "cause.planner.too_late" {
        en "the deadline passed before the request left"
        da "fristen udløb, før kaldet blev sendt"
    }
    NOT_SIGNED_BY_US = "cause.planner.not_signed_by_us" {
        en "the request could not be signed"
        da "kaldet kunne ikke underskrives"
    }
    NOT_SIGNED = "cause.planner.not_signed" {
        en "the answer of planner is not signed as it must be"
        da "Planners svar er ikke underskrevet, som det skal være"
    }
    ANSWER_UNREAD = "cause.planner.answer_unread" {
        en "the answer of planner cannot be read"
        da "Planners svar kan ikke læses"
    }
    ANSWER_LONG = "cause.planner.answer_long" {
        en "the answer of planner is longer than {n} bytes"
        da "Planners svar er længere end {n} bytes"
    }
    HTTP_STATUS = "cause.planner.http" {
        en "planner answered with HTTP status {n}"
        da "Planner svarede med HTTP-status {n}"
    }
    PAGE = "cause.planner.page" {
        en "an unsigned page with HTTP status {n} came instead of planner's answer, what became of the change is not known"
        da "der kom en side uden underskrift med HTTP-status {n} i stedet for Planners svar, og det er ukendt, hvad der blev af ændringen"
    }
    FAULT = "cause.planner.fault" {
        en "planner answered with a fault"
        da "Planner svarede med en fejl"
    }
    SENT_ELSEWHERE = "cause.planner.elsewhere" {
        en "which sends elsewhere and is not followed: check planner.service_url"
        da "som viser videre og ikke følges: se på planner.service_url"
    }
    CLIENT_REFUSED = "cause.planner.client" {
        en "which refuses this client: check planner.client_certificate"
        da "som afviser denne klient: se på planner.client_certificate"
    }
    NO_SERVICE = "cause.planner.no_service" {
        en "there is no such service: check planner.service_url"
        da "der er ingen sådan tjeneste: se på planner.service_url"
    }
    PROXY_ASKS = "cause.planner.proxy" {
        en "a proxy stands before it and wants to know who calls"
        da "en proxy står foran og vil vide, hvem der kalder"
    }
    CALL_REFUSED = "cause.planner.call_refused" {
        en "which refuses the call itself: check planner.jobcenter_number and planner.request_user_identifier"
        da "som afviser selve kaldet: se på planner.jobcenter_number og planner.request_user_identifier"
    }
    THEIRS_REFUSED = "cause.planner.theirs_refused" {
        en "the certificate of planner is refused: check planner.root_certificates and planner.server_pin_file"
        da "Planners certifikat afvises: se på planner.root_certificates og planner.server_pin_file"
    }
    OURS_REFUSED = "cause.planner.ours_refused" {
        en "planner refuses our certificate: check planner.client_certificate"
        da "Planner afviser vores certifikat: se på planner.client_certificate"
    }
    UNSENDABLE_N = "cause.planner.unsendable" {
        en "{n} of the appointments cannot be sent"
        da "{n} af aftalerne kan ikke sendes"
    }
    RECEIPTS = "cause.planner.receipts" {
        en "planner sent {n} receipts for {all} appointments"
        da "Planner sendte {n} kvitteringer for {all} aftaler"
    }
    RECEIPTS_FOR_ONE = "cause.planner.receipts_for_one" {
        en "planner sent {n} receipts for {all} appointment"
        da "Planner sendte {n} kvitteringer for {all} aftale"
    }
    ONE_RECEIPT = "cause.planner.one_receipt" {
        en "planner sent {n} receipt for {all} appointments"
        da "Planner sendte {n} kvittering for {all} aftaler"
    }
    RECEIPT_OF_OTHER = "cause.planner.receipt_of_other" {
        en "the receipt at position {n} is for another appointment"
        da "kvitteringen på plads {n} er for en anden aftale"
    }
    HELD_UNFETCHED = "cause.held.unfetched" {
        en "the appointments that planner holds cannot be fetched"
        da "de aftaler, Planner har, kan ikke hentes"
    }
    HELD_UNTAKEN = "cause.held.untaken" {
        en "what planner holds cannot be taken over"
        da "det, Planner har, kan ikke overtages"
    }
    HELD_UNSTORED = "cause.held.unstored" {
        en "what planner holds cannot be stored"
        da "det, Planner har, kan ikke gemmes"
    }
    HELD_PANICKED = "cause.held.panicked" {
        en "taking over what planner holds panicked"
        da "overtagelsen af det, Planner har, brød sammen"
    }
    DUTY_ENDS = "cause.duty_ends" {
        en "given up because the duty ends"
        da "opgivet, fordi opgaven slutter"
    }
    LIST_UNFETCHED = "cause.list.unfetched" {
        en "the resource list cannot be fetched"
        da "ressourcelisten kan ikke hentes"
    }
    LIST_UNSTORED = "cause.list.unstored" {
        en "the resource list cannot be stored"
        da "ressourcelisten kan ikke gemmes"
    }
    LIST_NOBODY = "cause.list.nobody" {
        en "planner returned no resources"
        da "Planner svarede uden ressourcer"
    }
    LIST_USELESS = "cause.list.useless" {
        en "{n} of {all} entries of the resource list cannot be used, the first"
        da "{n} af {all} linjer i ressourcelisten kan ikke bruges, den første"
    }
    NOTHING_TO_SIGN_WITH = "cause.planner.nothing_to_sign_with" {
        en "planner.security asks for signed messages and planner has no client certificate to sign with"
        da "planner.security kræver underskrevne beskeder, og der er intet klientcertifikat at underskrive med"
    }
    TLS_UNUSABLE = "cause.planner.tls" {
        en "the TLS configuration for planner cannot be used"
        da "TLS-opsætningen til Planner kan ikke bruges"
    }
    ACCOUNT_MISSING = "cause.account_missing" {
        en "there is no service account for a group"
        da "der er ingen servicekonto til en gruppe"
    }
    ACCOUNTS_EXHAUSTED = "cause.accounts_exhausted" {
        en "there are too few service accounts for all groups"
        da "der er for få servicekonti til alle grupper"
    }
    NO_ACCOUNT = "cause.no_account" { en "there is no service account" da "der er ingen servicekonto" }
    NO_MORE_GROUPS = "cause.no_more_groups" {
        en "the service accounts carry no more groups"
        da "servicekontiene kan ikke bære flere grupper"
    }
    NOT_SOLVED = "cause.not_solved" {
        en "no location is stored, and deactivate_solving_of_group_affinity forbids to ask"
        da "der er ingen gemt placering, og deactivate_solving_of_group_affinity forbyder at spørge"
    }
    NOT_COMPLETE = "cause.exchange.not_complete" {
        en "no complete answer in time"
        da "intet fuldstændigt svar i tide"
    }
    NO_RIGHT = "cause.exchange.no_right" {
        en "the service account may not read the calendar"
        da "servicekontoen må ikke læse kalenderen"
    }
    WINDOW_FULL = "cause.exchange.window_full" {
        en "the window holds too much"
        da "vinduet rummer for meget"
    }
    BATCH_STOPPED = "cause.exchange.batch_stopped" {
        en "the server stopped the batch before its first item"
        da "serveren afbrød kaldet før dets første aftale"
    }
    LEFT_OUT = "cause.exchange.left_out" { en "the mailbox was left out" da "postkassen blev udeladt" }
    MISFIT = "cause.exchange.misfit" {
        en "a value of the item does not fit its type"
        da "en værdi i aftalen passer ikke til sin type"
    }
    CIRCLE = "cause.exchange.circle" {
        en "autodiscover redirects to what was asked before"
        da "autodiscover viser videre til det, der allerede er spurgt om"
    }
    TOO_MANY_REDIRECTS = "cause.exchange.too_many_redirects" {
        en "autodiscover redirects more than ten times"
        da "autodiscover viser videre mere end ti gange"
    }
    SERVICE_REFUSES = "cause.exchange.service_refuses" {
        en "the service that autodiscover names does not accept the account"
        da "den tjeneste, som autodiscover nævner, accepterer ikke kontoen"
    }
    STREAM_INSIDE = "cause.exchange.stream_inside" {
        en "the stream broke off inside a message"
        da "strømmen blev afbrudt midt i en besked"
    }
    STREAM_ENDED = "cause.exchange.stream_ended" {
        en "the stream ended without saying so"
        da "strømmen endte uden at sige det"
    }
}
