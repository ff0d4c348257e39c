module tls-bootstrap/test/requests

go 1.24
