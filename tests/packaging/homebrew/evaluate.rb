# Evaluates a formula or a cask against the part of Homebrew's language that ours use, and prints what it says as JSON:
#   ruby evaluate.rb FILE macos|linux arm|intel
# A word that is not known here ends it with an error.
require "json"

FILE, SYSTEM, ARCH = ARGV
FOUND = { "resources" => {}, "installed" => [] }

class Place
  def initialize(name) = @name = name
  def /(other) = Place.new("#{@name}/#{other}")
  def to_s = @name
  def install(*what) = FOUND["installed"] << [@name, *what.map { |one| one.is_a?(Hash) ? one.to_a.flatten.map(&:to_s) : one }]
  def install_symlink(what) = FOUND["installed"] << [@name, "-> #{what}"]
end

class Resource
  def initialize(name) = @name = name
  def url(value) = (FOUND["resources"][@name] ||= {})["url"] = value
  def sha256(value) = FOUND["resources"][@name]["sha256"] = value
  def stage = yield
end

class Formula
  class << self
    %w[desc homepage version license url sha256].each do |word|
      define_method(word) do |value|
        raise "#{word} twice" if FOUND.key?(word)
        FOUND[word] = value
      end
    end
    def depends_on(what) = (FOUND["depends_on"] ||= []) << what.to_s
    def on_macos = SYSTEM == "macos" && yield
    def on_linux = SYSTEM == "linux" && yield
    def on_arm = ARCH == "arm" && yield
    def on_intel = ARCH == "intel" && yield
    def resource(name, &block) = Resource.new(name).instance_eval(&block)
    def test(&block) = @test = block
    attr_reader :tested
    def inherited(child) = FOUND["class"] = child.name
  end
  %w[libexec bin man1 man5 bash_completion zsh_completion fish_completion].each do |name|
    define_method(name) { Place.new(name) }
  end
  def version = FOUND["version"]
  def resource(name) = FOUND["resources"].key?(name) ? Resource.new(name) : raise("no resource #{name}")
  def shell_output(command) = command == "bin/fairlead --version" ? "fairlead #{version}\n" : raise(command)
  def assert_match(wanted, text) = text.include?(wanted) || raise("#{wanted} is not in #{text}")
  def run_test = instance_eval(&self.class.instance_variable_get(:@test))
end

class Cask
  %w[version url name desc homepage binary].each do |word|
    define_method(word) { |*value| value.empty? ? FOUND[word] : FOUND[word] = value.first }
  end
  def manpage(value) = (FOUND["manpages"] ||= []) << value
  def generate_completions_from_executable(*words) = FOUND["completions"] = words
  def arch(values = nil) = values ? FOUND["arch"] = values.fetch(ARCH.to_sym) : FOUND["arch"]
  def sha256(values) = FOUND["sha256"] = values.fetch(ARCH.to_sym)
  def livecheck(&block) = Livecheck.new.instance_eval(&block)
  class Livecheck
    def url(value) = FOUND["livecheck"] = [value]
    def strategy(value) = FOUND["livecheck"] << value
  end
end

def cask(token, &block)
  FOUND["cask"] = token
  Cask.new.instance_eval(&block)
end

load FILE
if FOUND["class"]
  made = Object.const_get(FOUND["class"]).new
  made.install
  made.run_test
end
puts JSON.generate(FOUND)
