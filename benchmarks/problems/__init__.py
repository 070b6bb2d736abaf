"""Published problems with known answers."""
