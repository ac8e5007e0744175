"""Prepaid minutes: wallets, the ledger, prices."""
