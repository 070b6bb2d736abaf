"""Small dense factorisations, written so that a batch of them runs as vector code."""
