"""What happens before a page is drawn: the log, the document that the browser is sent, loading ahead."""
