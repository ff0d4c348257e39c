// Workers join, drain and reboot in these tests. This limit only ends a test that hangs.
jest.setTimeout(300_000);
