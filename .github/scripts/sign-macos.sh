#!/usr/bin/env bash
# Signs the folder form for macOS with the hardened runtime and has Apple notarise it: sign-macos.sh DIST OUT
# Environment: SIGN (true or not), CERTIFICATE (PKCS #12, Base64), CERTIFICATE_PASSWORD, API_KEY (a .p8), API_KEY_ID,
# API_ISSUER. Without SIGN or a certificate DIST is copied to OUT, and its names go on to say unsigned. The one file
# stays unsigned: what it unpacks would need a signature of its own, from before it was packed.
set -euo pipefail
cd "$(dirname "$0")/../.."

dist=$1 out=$2
if [ "${SIGN:-}" != true ] || [ -z "${CERTIFICATE:-}" ]; then
  echo "::warning::APPLE_CERTIFICATE is not set: the programs for macOS stay unsigned"
  cp -R "$dist" "$out"
  exit 0
fi

work=$(mktemp -d)
keychain=$work/signing.keychain-db
trap 'security delete-keychain "$keychain" 2>/dev/null || true; rm -rf "$work"' EXIT

password=$(openssl rand -hex 24)
security create-keychain -p "$password" "$keychain"
security set-keychain-settings -t 3600 "$keychain"
security unlock-keychain -p "$password" "$keychain"
printf %s "$CERTIFICATE" | base64 --decode > "$work/certificate.p12"
security import "$work/certificate.p12" -k "$keychain" -P "$CERTIFICATE_PASSWORD" -T /usr/bin/codesign
rm "$work/certificate.p12"
security set-key-partition-list -S apple-tool:,apple:,codesign: -s -k "$password" "$keychain" > /dev/null
security list-keychains -d user -s "$keychain"
identity=$(security find-identity -v -p codesigning "$keychain" | awk '/Developer ID Application/ { print $2; exit }')
[ -n "$identity" ] || { echo "the certificate holds no Developer ID Application" >&2; exit 1; }

python build/sign.py open "$dist" "$work/open" --keep-file
# No entitlement: none has been needed by programs of this kind.
python build/sign.py run "$work/open" \
  "/usr/bin/codesign --force --timestamp --options runtime --keychain $keychain --sign $identity"
codesign --verify --strict --verbose=2 "$work/open/fairlead/fairlead"

# A bare program cannot carry the ticket: Gatekeeper asks Apple at the first start.
printf %s "$API_KEY" > "$work/key.p8"
ditto -c -k --keepParent "$work/open/fairlead" "$work/fairlead.zip"
xcrun notarytool submit "$work/fairlead.zip" --wait --timeout 45m \
  --key "$work/key.p8" --key-id "$API_KEY_ID" --issuer "$API_ISSUER" | tee "$work/answer"
grep -q 'status: Accepted' "$work/answer"

python build/sign.py close "$work/open" "$dist" "$out" --keep-file
