import { renderBundle } from "../../../../components/host/hostFiles";

describe("renderBundle", () => {
  it("shows each file as it will be on the worker", () =>
    expect(
      renderBundle([
        { path: "/etc/a", mode: "0644", text: "one\n$two `three`\n" },
        { path: "/etc/b", mode: "0600", text: "four\n", restarts: "kubelet" },
      ]),
    ).toBe(`file 0644 /etc/a <<'END-OF-FILE'
one
$two \`three\`
END-OF-FILE
file 0600 /etc/b kubelet <<'END-OF-FILE'
four
END-OF-FILE
# end of bundle
`));

  it("refuses text that would end a file early", () => {
    expect(() => renderBundle([{ path: "/etc/a", mode: "0644", text: "END-OF-FILE\nrm -rf /\n" }])).toThrow("/etc/a");
    expect(() => renderBundle([{ path: "/etc/a", mode: "0644", text: "no newline" }])).toThrow("/etc/a");
  });
});
