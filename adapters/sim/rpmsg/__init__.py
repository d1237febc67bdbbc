"""Linux' side of RPMsg, for firmware on a simulated processor whose board file has a mailbox."""
