"""What commands share: from a study and a store to trained students, measurements and a written folder."""
