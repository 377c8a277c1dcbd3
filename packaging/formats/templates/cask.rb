cask "fairlead" do
  arch arm: "arm64", intel: "x86_64"

  version "@VERSION@"
  sha256 arm:   "@SHA256_ARM@",
         intel: "@SHA256_INTEL@"

  url "@URL@"
  name "fairlead"
  desc "@SUMMARY@"
  homepage "@HOMEPAGE@"

  livecheck do
    url :url
    strategy :github_latest
  end

  binary "fairlead/fairlead"
@MAN_PAGES@
  generate_completions_from_executable "fairlead/fairlead", "completions"
end
