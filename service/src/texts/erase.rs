//! `kommuneklient erase`.

texts! {
    TABLE = "erase.table" { en "TABLE" da "TABEL" }
    ROWS = "erase.rows" { en "ROWS" da "RÆKKER" }
    NOTHING = "erase.nothing" { en "nothing is stored of it" da "der er intet gemt om den" }
    HELD = "erase.held" {
        en "Planner holds, or is to hold, {appointments} of it" da "Planner har, eller skal have, {appointments} for den"
    }
    WOULD = "erase.would" { en "would be removed:" da "ville blive fjernet:" }
    WOULD_BE_REFUSED = "erase.would_be_refused" {
        en "as it stands, the erasure would be refused: {why}"
        da "som det står nu, ville sletningen blive afvist: {why}"
    }
    /// The reasons stand below it, one a line.
    WOULD_BE_REFUSED_FOR = "erase.would_be_refused_for" {
        en "as it stands, the erasure would be refused, for more than one reason:"
        da "som det står nu, ville sletningen blive afvist af flere grunde:"
    }
    DONE = "erase.done" {
        en "{mailbox} is erased, and the next resource list does not bring it back:"
        da "{mailbox} er slettet, og den næste ressourceliste bringer den ikke tilbage:"
    }
    DONE_AGAIN = "erase.done_again" {
        en "{mailbox} is erased already, {at} by {by}, and that stays so; what was still stored of it is removed now:"
        da "{mailbox} er allerede slettet, {at} af {by}, og det bliver ved det; det, der stadig var gemt om den, er fjernet nu:"
    }
    WOULD_AGAIN = "erase.would_again" {
        en "{mailbox} is erased already, {at} by {by}, and that stays so; what is still stored of it would be removed:"
        da "{mailbox} er allerede slettet, {at} af {by}, og det bliver ved det; det, der stadig er gemt om den, ville blive fjernet:"
    }
    ELSEWHERE = "erase.elsewhere" {
        en "backups of the database, log files and traces of this time still name it"
        da "sikkerhedskopier af databasen, logfiler og spor fra den tid nævner den stadig"
    }
    UNDONE = "erase.undone" {
        en "{mailbox} may be listed again; `kommuneklient resources refresh` brings it back if Planner lists it"
        da "{mailbox} kan komme på listen igen; `kommuneklient resources refresh` bringer den tilbage, hvis Planner har den på listen"
    }
    UNDONE_BLOCKED = "erase.undone_blocked" {
        en "{mailbox} is not erased any more, but stays out of use ({why}); `kommuneklient mailbox unblock {mailbox}` ends that, and brings it back if Planner lists it"
        da "{mailbox} er ikke slettet mere, men bliver ved med ikke at være i brug ({why}); `kommuneklient mailbox unblock {mailbox}` ophæver det og bringer den tilbage, hvis Planner har den på listen"
    }
    NOT_ERASED = "erase.not_erased" { en "{mailbox} was not erased" da "{mailbox} var ikke slettet" }
    QUESTION = "erase.question" {
        en "Erase {mailbox}? This cannot be taken back. Write its address to go on: "
        da "Slet {mailbox}? Det kan ikke fortrydes. Skriv dens adresse for at fortsætte: "
    }
}
