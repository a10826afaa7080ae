"""Project + Manifest -> sheet, pdf, animatic, otio, csv, remotion; one file and one function each."""
