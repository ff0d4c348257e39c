// Real machines join, drain and reboot in these tests. No test measures time by this bound; it only ends a hang.
jest.setTimeout(300_000);
