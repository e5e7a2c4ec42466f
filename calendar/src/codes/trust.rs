//! The codes of certificates and signed messages, 9620 to 9639.

use base::event_entry::Reaction::CorrectConfiguration;

use super::success::{CERTIFICATE, CERTIFICATE_FILES, PLANNER_CALL};

codes! {
    TRUST_TABLE, TRUST_NAMES;

    CERTIFICATE_60_DAYS = 9620 PCS Warning
        "a certificate towards Planner expires within 60 days"
        "et certifikat til Planner udløber inden for 60 dage"
        RENEWAL .react(CorrectConfiguration) .per("certificate") .ends_on(CERTIFICATE);
    CERTIFICATE_30_DAYS = 9621 PCS Warning
        "a certificate towards Planner expires within 30 days"
        "et certifikat til Planner udløber inden for 30 dage"
        RENEWAL .react(CorrectConfiguration) .per("certificate") .ends_on(CERTIFICATE);
    CERTIFICATE_14_DAYS = 9622 PCS Warning
        "a certificate towards Planner expires within 14 days"
        "et certifikat til Planner udløber inden for 14 dage"
        RENEWAL .react(CorrectConfiguration) .per("certificate") .ends_on(CERTIFICATE);
    CERTIFICATE_3_DAYS = 9623 PCS Error
        "a certificate towards Planner expires within 3 days"
        "et certifikat til Planner udløber inden for 3 dage"
        RENEWAL .react(CorrectConfiguration) .critical() .per("certificate") .ends_on(CERTIFICATE);
    CERTIFICATE_EXPIRED = 9624 PCS Error
        "a certificate towards Planner has expired, nothing can be sent"
        "et certifikat til Planner er udløbet; intet kan sendes"
        RENEWAL .react(CorrectConfiguration) .critical() .per("certificate") .ends_on(CERTIFICATE);
    CERTIFICATES_RENEWED = 9625 PCS Information
        "the files with certificates towards Planner have changed and are in use"
        "filerne med certifikater til Planner er ændret og i brug"
        NOTHING;
    CERTIFICATES_UNUSABLE = 9626 PCS Error
        "the changed files with certificates towards Planner cannot be used, the old ones stay in use"
        "de ændrede filer med certifikater til Planner kan ikke bruges; de gamle bruges fortsat"
        CERTIFICATES .react(CorrectConfiguration) .ends_on(CERTIFICATE_FILES);
    PLANNER_SIGNATURE_REFUSED = 9627 PCS Error
        "an answer from Planner is not signed as it must be, nothing in it is believed"
        "et svar fra Planner er ikke signeret, som det skal være; intet i det bliver troet"
        SIGNATURE .react(CorrectConfiguration) .critical() .ends_on(PLANNER_CALL);
    PLANNER_CERTIFICATE_REFUSED = 9628 PCS Error
        "the certificate that Planner shows is refused, nothing is sent to it"
        "det certifikat, Planner viser, afvises; der sendes intet til den"
        SERVER_CERTIFICATE .react(CorrectConfiguration) .critical() .ends_on(PLANNER_CALL);
    OWN_CERTIFICATE_REFUSED = 9629 PCS Error
        "Planner refuses the certificate of this installation"
        "Planner afviser denne installations certifikat"
        CERTIFICATES .react(CorrectConfiguration) .critical() .ends_on(PLANNER_CALL);
}
