import { main } from "@pulumi/pulumi/provider";
import { TlsBootstrapProvider } from "./tlsBootstrapProvider";

void main(new TlsBootstrapProvider(), process.argv.slice(2));
