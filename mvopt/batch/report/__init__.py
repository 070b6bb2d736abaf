"""`mvopt report`: a page about a finished run that opens in any browser, without a network."""
