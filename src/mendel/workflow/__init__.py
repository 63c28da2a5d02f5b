"""The steps that commands share: from a study to trained students, measurements and a written folder."""
